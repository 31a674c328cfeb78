package postrider;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** Responses of a stream, each waited for. One thread reads. */
abstract class Responses<T> implements Iterator<T>, Iterable<T>, AutoCloseable {
    /** The response that was read and not yet given. */
    protected T next;

    /** Reads one response, or takes the stream up again. */
    protected abstract void advance() throws InterruptedException;

    protected abstract boolean hasEnded();

    @Override
    public abstract void close();

    @Override
    public boolean hasNext() {
        try {
            while (next == null && !hasEnded()) {
                advance();
            }
        } catch (InterruptedException interrupted) {
            close();
            Thread.currentThread().interrupt();
        }
        return next != null;
    }

    @Override
    public T next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the stream has ended, or was closed");
        }
        T response = next;
        next = null;
        return response;
    }

    @Override
    public Iterator<T> iterator() {
        return this;
    }
}
