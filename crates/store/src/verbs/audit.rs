//! Who did it, told by the transaction of what was done.

use postrider_domain::{Act, ResellerId};

use super::Write;
use crate::StoreError;
use crate::book::{Book, Needs, chains};

/// A write, and an event of it where it changed something.
pub(crate) struct Audited<W> {
    pub write: W,
    pub act: Act,
}

impl<W: Write> Write for Audited<W> {
    type Answer = W::Answer;

    const NAME: &'static str = W::NAME;
    const GROWS: bool = W::GROWS;

    fn reseller(&self) -> Option<&ResellerId> {
        self.write.reseller()
    }

    fn needs(&self, needs: &mut Needs) {
        self.write.needs(needs);
        needs.chains.extend(chains(&self.act));
    }

    fn run(&self, book: &mut Book) -> Result<W::Answer, StoreError> {
        let answer = self.write.run(book)?;
        if self.write.is_audited(&answer) {
            book.audit(&self.act);
        }
        Ok(answer)
    }
}

/// An event alone.
pub(crate) struct Note;

impl Write for Note {
    type Answer = ();

    const NAME: &'static str = "note";
    const GROWS: bool = true;

    fn needs(&self, _: &mut Needs) {}

    fn run(&self, _: &mut Book) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_audited(&self, (): &()) -> bool {
        true
    }
}
