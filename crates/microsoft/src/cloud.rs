//! The national clouds and their hosts: a closed list, so that no caller chooses where a secret goes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postrider_domain::{Cloud, DirectoryId, EmailAddress};
use reqwest::Url;

/// What stays as it is in one segment of a path: RFC 3986's unreserved characters, and the `@` of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Where Exchange Online takes uploads: documented for the global cloud, likely for the others.
const UPLOAD_DOMAINS: [&str; 7] = [
    "outlook.com",
    "office.com",
    "office365.com",
    "office365.us",
    "outlook.cn",
    "microsoft.com",
    "chinacloudapi.cn",
];

/// Where Entra and Graph are: Microsoft's own hosts, unless the operator set others.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    login: Option<String>,
    graph: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be an origin such as https://login.example: scheme, host and port, nothing more")]
pub struct NotAnOrigin(String);

impl Hosts {
    /// Microsoft's own hosts, each cloud its own.
    pub fn microsoft() -> Self {
        Self::default()
    }

    /// An origin given replaces Microsoft's in every cloud.
    pub fn replaced(login: Option<&str>, graph: Option<&str>) -> Result<Self, NotAnOrigin> {
        Ok(Self { login: login.map(origin).transpose()?, graph: graph.map(origin).transpose()? })
    }

    pub(crate) fn discovery(&self, cloud: Cloud, directory: &DirectoryId) -> String {
        format!("{}/{}/v2.0/.well-known/openid-configuration", self.login(cloud), segment(directory.as_str()))
    }

    pub(crate) fn token(&self, cloud: Cloud, directory: &DirectoryId) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.login(cloud), segment(directory.as_str()))
    }

    pub(crate) fn mailbox(&self, cloud: Cloud, mailbox: &EmailAddress) -> String {
        format!("{}/v1.0/users/{}", self.graph(cloud), segment(mailbox.as_str()))
    }

    /// Whether a file may be uploaded there: to a host of Microsoft's mail service, or to what stands in for Graph.
    pub(crate) fn takes_uploads(&self, cloud: Cloud, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let is_graph = Url::parse(self.graph(cloud)).is_ok_and(|graph| graph.origin() == url.origin());
        let host = url.host_str().unwrap_or_default();
        let is_microsofts = UPLOAD_DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        is_graph || (url.scheme() == "https" && url.port().is_none() && is_microsofts)
    }

    fn graph(&self, cloud: Cloud) -> &str {
        self.graph.as_deref().unwrap_or(graph_origin(cloud))
    }

    fn login(&self, cloud: Cloud) -> &str {
        self.login.as_deref().unwrap_or(match cloud {
            Cloud::Global => "https://login.microsoftonline.com",
            Cloud::UsGovHigh | Cloud::UsGovDod => "https://login.microsoftonline.us",
            Cloud::China => "https://login.partner.microsoftonline.cn",
        })
    }
}

fn graph_origin(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://graph.microsoft.com",
        Cloud::UsGovHigh => "https://graph.microsoft.us",
        Cloud::UsGovDod => "https://dod-graph.microsoft.us",
        Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
    }
}

/// What a token is asked for. Always the cloud's own Graph: an operator's gateway leads there too.
pub(crate) fn scope(cloud: Cloud) -> String {
    format!("{}/.default", graph_origin(cloud))
}

/// For whom an outside issuer makes the assertions that Entra exchanges.
pub(crate) fn exchange_audience(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "api://AzureADTokenExchange",
        Cloud::UsGovHigh | Cloud::UsGovDod => "api://AzureADTokenExchangeUSGov",
        Cloud::China => "api://AzureADTokenExchangeChina",
    }
}

/// The cloud whose Graph has this host name, as discovery gives it.
pub(crate) fn of_graph_host(host: &str) -> Option<Cloud> {
    Cloud::ALL.into_iter().find(|cloud| graph_origin(*cloud).strip_prefix("https://") == Some(host))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn origin(text: &str) -> Result<String, NotAnOrigin> {
    let url = Url::parse(text).map_err(|_| NotAnOrigin(text.to_owned()))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let http = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if plain && http && url.path() == "/" {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(NotAnOrigin(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> String {
        let mailbox = EmailAddress::parse(address).expect("an address");
        let url = format!("{}/sendMail", Hosts::microsoft().mailbox(Cloud::Global, &mailbox));
        Url::parse(&url).expect("a URL").to_string()
    }

    #[test]
    fn a_mailbox_is_one_segment_whatever_it_holds() {
        assert_eq!(url("a/b@x.example"), "https://graph.microsoft.com/v1.0/users/a%2Fb@x.example/sendMail");
        assert_eq!(
            url("o'neil+x#@acme.example"),
            "https://graph.microsoft.com/v1.0/users/o%27neil%2Bx%23@acme.example/sendMail"
        );
        assert_eq!(
            url("a?b%2e@x.example"),
            "https://graph.microsoft.com/v1.0/users/a%3Fb%252e@x.example/sendMail"
        );
    }

    #[test]
    fn each_cloud_has_its_own_hosts_and_scope() {
        let directory = DirectoryId::parse("contoso.example").expect("a domain");
        let lines: Vec<String> = Cloud::ALL
            .into_iter()
            .map(|cloud| {
                format!("{} {} {}", cloud.as_str(), Hosts::microsoft().token(cloud, &directory), scope(cloud))
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        global https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token https://graph.microsoft.com/.default
        us_gov_high https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token https://graph.microsoft.us/.default
        us_gov_dod https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token https://dod-graph.microsoft.us/.default
        china https://login.partner.microsoftonline.cn/contoso.example/oauth2/v2.0/token https://microsoftgraph.chinacloudapi.cn/.default
        ");
    }

    #[test]
    fn files_go_to_hosts_of_microsofts_alone() {
        let takes = |hosts: &Hosts, url| hosts.takes_uploads(Cloud::Global, url);
        let microsoft = Hosts::microsoft();
        for good in [
            "https://outlook.office.com/api/gv1.0/Users('x')?authtoken=eyJ",
            "https://outlook.office365.com/x",
            "https://graph.microsoft.com/x",
        ] {
            assert!(takes(&microsoft, good), "{good}");
        }
        for bad in [
            "http://outlook.office.com/x",
            "https://outlook.office.com:444/x",
            "https://outlook.office.com.example/x",
            "https://notoffice.com/x",
            "https://outlook.office.com@evil.example/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!takes(&microsoft, bad), "{bad}");
        }
        let sandbox = Hosts::replaced(None, Some("http://127.0.0.1:8025")).expect("an origin");
        assert!(takes(&sandbox, "http://127.0.0.1:8025/upload/1"));
        assert!(!takes(&sandbox, "http://127.0.0.1:8026/upload/1"));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in ["http://127.0.0.1:8025", "https://graph.example/", "https://[::1]:8443"] {
            assert!(Hosts::replaced(Some(good), None).is_ok(), "{good}");
        }
        for bad in [
            "",
            "graph.example",
            "ftp://x.example",
            "https://x.example/v1.0",
            "https://u:p@x.example",
            "https://x.example/?a",
        ] {
            assert!(Hosts::replaced(None, Some(bad)).is_err(), "{bad}");
        }
    }
}
