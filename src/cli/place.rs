//! Where the service is that a client command speaks to.
//!
//! Rules
//! - `--url`, then `POSTRIDER_URL`, then the data directory's `endpoints.json`, then the default port.
//! - A data directory does not say whether TLS is spoken there: `--ca-file` does.
//! - Without a named data directory both defaults are tried, that of `serve` before that of `serve --sandbox`.
//! - A process that was killed leaves its `endpoints.json` behind. Where both name one address, the one written last
//!   holds; where nobody answers at one, the other is tried.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::environment::Environment;

pub(crate) const URL_VARIABLE: &str = "POSTRIDER_URL";
pub(crate) const DATA_DIR_VARIABLE: &str = "POSTRIDER_DATA_DIR";

const URL_DEFAULT: &str = "http://127.0.0.1:50051";
const FOLDERS_DEFAULT: [&str; 2] = ["./postrider-data", "./postrider-sandbox"];

/// One service that may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub url: String,
    /// What named the address, for the user.
    pub named_by: String,
    /// The data directories that may hold its key, the likeliest first.
    pub folders: Vec<PathBuf>,
}

/// What is spoken where a data directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The places to try, in order; at least one.
pub(crate) fn find(
    url: Option<&str>,
    data_dir: Option<&Path>,
    scheme: Scheme,
    environment: &Environment,
) -> Vec<Place> {
    let named = data_dir.map(Path::to_owned).or_else(|| environment.path(DATA_DIR_VARIABLE));
    let folders = named.map_or_else(|| FOLDERS_DEFAULT.map(PathBuf::from).to_vec(), |folder| vec![folder]);
    let served: Vec<Served> = folders.iter().filter_map(|folder| Served::read(folder)).collect();
    let from_variable = || environment.text(URL_VARIABLE).map(|url| (url, URL_VARIABLE));
    let given = url.map(|url| (url.to_owned(), "--url")).or_else(from_variable);
    if let Some((url, named_by)) = given {
        let folders = likeliest_first(folders, &served, &url);
        return vec![Place { url, named_by: named_by.to_owned(), folders }];
    }
    let stale =
        |one: &Served| served.iter().any(|other| other.grpc == one.grpc && other.written > one.written);
    let places: Vec<Place> = served.iter().filter(|one| !stale(one)).map(|one| one.place(scheme)).collect();
    if places.is_empty() {
        return vec![Place { url: URL_DEFAULT.to_owned(), named_by: "the default".to_owned(), folders }];
    }
    places
}

/// The folder whose service has just this address comes first.
fn likeliest_first(mut folders: Vec<PathBuf>, served: &[Served], url: &str) -> Vec<PathBuf> {
    let authority = url.split("://").last().unwrap_or(url).trim_end_matches('/');
    let fits = |folder: &PathBuf| served.iter().any(|one| one.folder == *folder && one.grpc == authority);
    folders.sort_by_key(|folder| !fits(folder));
    folders
}

/// What a data directory's `endpoints.json` says.
struct Served {
    folder: PathBuf,
    /// `host:port`
    grpc: String,
    written: SystemTime,
}

impl Served {
    fn read(folder: &Path) -> Option<Self> {
        let file = folder.join("endpoints.json");
        let written = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).ok()?;
        let endpoints: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        let grpc = endpoints.get("grpc")?.as_str()?.to_owned();
        Some(Self { folder: folder.to_owned(), grpc, written })
    }

    fn place(&self, scheme: Scheme) -> Place {
        let scheme = if scheme == Scheme::Https { "https" } else { "http" };
        Place {
            url: format!("{scheme}://{}", self.grpc),
            named_by: self.folder.join("endpoints.json").display().to_string(),
            folders: vec![self.folder.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_serving(grpc: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let endpoints = serde_json::json!({"grpc": grpc, "http": "127.0.0.1:2"});
        std::fs::write(folder.path().join("endpoints.json"), endpoints.to_string()).expect("a file");
        folder
    }

    #[test]
    fn a_named_url_goes_over_all_else() {
        let folder = folder_serving("127.0.0.1:1");
        let environment = Environment::of(&[(URL_VARIABLE, "http://c:3")]);
        let url = |flag| find(flag, Some(folder.path()), Scheme::Http, &environment).remove(0).url;
        assert_eq!(url(Some("http://b:2")), "http://b:2");
        assert_eq!(url(None), "http://c:3");
    }

    #[test]
    fn the_data_directory_says_where_its_service_is() {
        let folder = folder_serving("127.0.0.1:1");
        let places = find(None, Some(folder.path()), Scheme::Http, &Environment::default());
        assert_eq!(places[0].url, "http://127.0.0.1:1");
        assert_eq!(places[0].folders, [folder.path()]);
        let over_tls = find(None, Some(folder.path()), Scheme::Https, &Environment::default());
        assert_eq!(over_tls[0].url, "https://127.0.0.1:1");
    }

    #[test]
    fn an_empty_data_directory_leaves_the_default_address() {
        let folder = tempfile::tempdir().expect("a folder");
        let variable = folder.path().to_string_lossy().into_owned();
        let places = find(None, None, Scheme::Http, &Environment::of(&[(DATA_DIR_VARIABLE, &variable)]));
        assert_eq!(places[0].url, URL_DEFAULT);
        assert_eq!(places[0].folders, [folder.path()]);
    }

    #[test]
    fn a_url_finds_the_key_of_the_folder_that_serves_it() {
        let folders = [folder_serving("127.0.0.1:1"), folder_serving("127.0.0.1:2")];
        let paths: Vec<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        let served: Vec<_> = paths.iter().filter_map(|folder| Served::read(folder)).collect();
        let sorted = likeliest_first(paths.clone(), &served, "http://127.0.0.1:2/");
        assert_eq!(sorted, [paths[1].clone(), paths[0].clone()]);
    }
}
