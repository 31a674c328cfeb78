package postrider;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Maven has no lock file of its own: this holds every jar, also those that others bring, to the very bytes that were tried. */
class DependenciesTest {
    @Test
    void everyJarIsTheOneOfTheLockFile() throws Exception {
        String classpath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        var found = new TreeMap<String, String>();
        for (String entry : classpath.split(File.pathSeparator)) {
            Path jar = Path.of(entry);
            if (entry.endsWith(".jar") && !jar.startsWith(Path.of("target").toAbsolutePath())) {
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(jar));
                found.put(jar.getFileName().toString(), HexFormat.of().formatHex(digest));
            }
        }
        var lines = found.entrySet().stream().map(jar -> jar.getValue() + "  " + jar.getKey()).toList();
        Files.write(Path.of("target/dependencies.lock"), lines);
        assertEquals(
                Files.readAllLines(Path.of("dependencies.lock")),
                lines,
                "read what changed, then: cp target/dependencies.lock dependencies.lock");
    }
}
