//! The two forms of a key's text.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::{KEY_BYTES, Key, LocalKey, SealingKeyId};

const FIRST: &str = "postrider-local-key-1:";
const SECOND: &str = "postrider-local-key-2";
/// Room for a line of the second form.
const LINE_BYTES: usize = 128;

impl LocalKey {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        match text.strip_prefix(FIRST) {
            Some(root) => key(root).map(Self::of_root),
            None => second(text.strip_prefix(SECOND)?.strip_prefix('\n')?),
        }
    }

    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let is_first = self.kept.is_empty();
        let lines = 3 + self.kept.len() + self.sealing.len();
        // Why the capacity: a string that grows leaves copies of what it held behind.
        let mut text = Zeroizing::new(String::with_capacity(lines * LINE_BYTES));
        if is_first {
            text.push_str(FIRST);
            HEXLOWER.encode_append(self.root.as_slice(), &mut text);
            text.push('\n');
            return text;
        }
        text.push_str(SECOND);
        text.push_str("\nid ");
        HEXLOWER.encode_append(&self.id, &mut text);
        text.push_str("\nroot ");
        HEXLOWER.encode_append(self.root.as_slice(), &mut text);
        for (label, key) in &self.kept {
            text.push_str("\nkey ");
            text.push_str(label);
            text.push(' ');
            HEXLOWER.encode_append(key.as_slice(), &mut text);
        }
        for (id, key) in &self.sealing {
            text.push_str("\nsealing ");
            HEXLOWER.encode_append(id, &mut text);
            text.push(' ');
            HEXLOWER.encode_append(key.as_slice(), &mut text);
        }
        text.push('\n');
        text
    }
}

fn second(lines: &str) -> Option<LocalKey> {
    let (mut named, mut root, mut kept, mut sealing) = (None, None, Vec::new(), Vec::new());
    for line in lines.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["id", text] => named = Some(id(text)?),
            ["root", text] => root = Some(key(text)?),
            ["key", label, text] => kept.push(((*label).to_owned(), key(text)?)),
            ["sealing", of, text] => sealing.push((id(of)?, key(text)?)),
            _ => return None,
        }
    }
    let whole = !kept.is_empty() && !sealing.is_empty();
    whole.then_some(LocalKey { id: named?, root: root?, kept, sealing })
}

fn key(digits: &str) -> Option<Key> {
    let mut key = Key::default();
    (digits.len() == 2 * KEY_BYTES).then_some(())?;
    HEXLOWER.decode_mut(digits.as_bytes(), key.as_mut_slice()).ok().map(|_| key)
}

fn id(digits: &str) -> Option<SealingKeyId> {
    let mut id = [0; 8];
    (digits.len() == 2 * id.len()).then_some(())?;
    HEXLOWER.decode_mut(digits.as_bytes(), &mut id).ok().map(|_| id)
}
