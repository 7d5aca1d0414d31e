//! A file of the web page, in memory since the build, and at which address it is.

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file that the page consists of.
#[derive(PartialEq, Eq)]
pub(crate) struct Asset {
    /// Below the folder that was embedded.
    pub path: &'static str,
    /// Of its content, without quotes.
    pub tag: &'static str,
    pub bytes: &'static [u8],
    pub gzip: Option<&'static [u8]>,
}

impl fmt::Debug for Asset {
    /// Without its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asset").field(&self.path).finish()
    }
}

impl Asset {
    /// By the path of a request. A folder's `index.html` is at the folder's address, with a slash behind it and without.
    #[must_use]
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        let path = path.strip_prefix('/')?;
        ASSETS.iter().find(|asset| asset.path == path || asset.is_index_of(path))
    }

    fn is_index_of(&self, path: &str) -> bool {
        match self.folder() {
            None => false,
            Some("") => path.is_empty(),
            Some(folder) => path.strip_suffix('/').unwrap_or(path) == folder,
        }
    }

    /// Whose index it is.
    fn folder(&self) -> Option<&'static str> {
        let folder = self.path.strip_suffix("index.html")?;
        Some(folder.strip_suffix('/').unwrap_or(folder))
    }

    /// A document with a policy of its own, not what it is made of.
    #[must_use]
    pub(super) fn is_page(&self) -> bool {
        self.extension() == "html"
    }

    /// Whether its name says its content: the bundler writes nothing else into this folder.
    #[must_use]
    pub(super) fn is_hashed(&self) -> bool {
        self.path.starts_with("assets/")
    }

    #[must_use]
    pub(super) fn content_type(&self) -> &'static str {
        match self.extension() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "json" => "application/json",
            "webmanifest" => "application/manifest+json",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }

    fn extension(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// All style elements' hashes that the policy has to allow.
pub(super) fn style_hashes() -> impl Iterator<Item = &'static str> {
    STYLE_HASHES.lines().filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_embedded_is_found_and_has_a_type() {
        assert_eq!(Asset::find("/").unwrap().path, "index.html");
        for asset in ASSETS {
            assert_eq!(Asset::find(&format!("/{}", asset.path)), Some(asset));
            assert_ne!(asset.content_type(), "application/octet-stream", "{}", asset.path);
        }
        for other in ["", "index.html", "/x", "/assets", "/assets/", "/../Cargo.toml", "//"] {
            assert_eq!(Asset::find(other), None, "{other}");
        }
    }

    #[test]
    fn the_folder_of_an_index_is_its_address() {
        let index = |path| Asset { path, tag: "", bytes: b"", gzip: None };
        let docs = index("docs/index.html");
        assert!(
            docs.is_index_of("docs")
                && docs.is_index_of("docs/")
                && !docs.is_index_of("docs//")
                && !docs.is_index_of("")
        );
        assert!(index("index.html").is_index_of("") && !index("index.html").is_index_of("/"));
        assert!(!index("docs/docs.js").is_index_of("docs"));
    }

    #[test]
    fn the_pages_ask_no_other_host() {
        let unbuilt = include_str!("unbuilt/docs.html");
        let embedded =
            ["/", "/docs", "/plain"].map(|path| std::str::from_utf8(Asset::find(path).unwrap().bytes).unwrap());
        for page in embedded.into_iter().chain([unbuilt]) {
            for foreign in ["http://", "https://", "src=\"//", "href=\"//"] {
                assert!(!page.contains(foreign), "{foreign}");
            }
        }
    }

    /// Whether or not somebody has built the web page.
    #[test]
    fn the_document_is_shown_or_said_how_to_see_it() {
        let docs = Asset::find("/docs").unwrap();
        assert!(docs.is_page() && Asset::find("/docs/") == Some(docs));
        let unbuilt = include_str!("unbuilt/docs.html");
        assert!(unbuilt.contains("href=\"/openapi.json\"") && unbuilt.contains("scripts/build-web"));
        // What it asks for is embedded always.
        assert!(unbuilt.contains("href=\"/plain/plain.css\"") && Asset::find("/plain/plain.css").is_some());
    }
}
