//! A file as an attachment, its media type by the end of its name.

use std::path::Path;

use postrider_proto::v1::Attachment;

use super::failure::Failure;
use super::input;

pub(crate) fn read(file: &Path) -> Result<Attachment, Failure> {
    let Some(name) = file.file_name() else {
        return Err(Failure::usage(format_args!("--attach {} names no file", file.display())));
    };
    Ok(Attachment {
        file_name: name.to_string_lossy().into_owned(),
        content_type: media_type(file).to_owned(),
        content: input::bytes(file)?.into(),
        content_id: String::new(),
    })
}

/// Empty where the name does not tell: the service then takes `application/octet-stream`.
fn media_type(file: &Path) -> &'static str {
    let end = file.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "csv" => "text/csv",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "gif" => "image/gif",
        "htm" | "html" => "text/html",
        "ics" => "text/calendar",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        "zip" => "application/zip",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_tells_the_media_type() {
        assert_eq!(media_type(Path::new("a/Invoice.PDF")), "application/pdf");
        assert_eq!(media_type(Path::new("a/b")), "");
    }

    #[test]
    fn an_attachment_carries_the_files_name_without_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("note.txt");
        std::fs::write(&file, "hello").expect("a file");
        let attachment = read(&file).expect("an attachment");
        assert_eq!((attachment.file_name.as_str(), attachment.content.as_ref()), ("note.txt", &b"hello"[..]));
    }
}
