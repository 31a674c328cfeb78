//! A message's own lines: its header fields and what follows them, left as they came.

/// One header field with its folded lines and its line break.
pub(crate) struct Field<'a> {
    pub(crate) name: String,
    pub(crate) lines: &'a [u8],
}

/// The fields, and the body after the empty line.
pub(crate) fn split(raw: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let (mut start, mut rest) = (0, raw);
    while !rest.is_empty() {
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        let (this, after) = rest.split_at(line);
        if this.trim_ascii().is_empty() {
            return (fields, after);
        }
        let here = raw.len() - rest.len();
        let is_folded = this.first().is_some_and(|byte| b" \t".contains(byte));
        if let Some(field) = fields.last_mut().filter(|_| is_folded) {
            field.lines = raw.get(start..here + line).unwrap_or_default();
        } else {
            start = here;
            let name = this.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            fields.push(Field { name, lines: this });
        }
        rest = after;
    }
    (fields, &[])
}

/// The message with these fields and this body.
pub(crate) fn join<'a>(fields: impl IntoIterator<Item = &'a [u8]>, body: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(body.len() + 4_096);
    for lines in fields {
        joined.extend_from_slice(lines);
    }
    joined.extend_from_slice(b"\r\n");
    joined.extend_from_slice(body);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_with_their_folded_lines_and_joined_again_as_they_were() {
        let raw = b"Subject: a\r\n b\r\nX-One: 1\r\n\r\nBody: no field\r\n";
        let (fields, body) = split(raw);
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["subject", "x-one"]);
        assert_eq!(fields[0].lines, b"Subject: a\r\n b\r\n");
        assert_eq!(body, b"Body: no field\r\n");
        assert_eq!(join(fields.iter().map(|field| field.lines), body), raw);
        assert_eq!(split(b"Subject: only").0.len(), 1);
        assert!(split(b"").0.is_empty());
    }
}
