//! Links: how they are found in HTML, resolved, and told to be of the same site.

use std::collections::HashSet;

use html5gum::{StartTag, State, Token, Tokenizer};
use url::Url;

/// All the links of a page that stay within its site.
pub fn links(page: &Url, html: &[u8]) -> HashSet<Url> {
    let found = scan(html);
    let base = found.base.and_then(|base| page.join(&base).ok());
    let base = base.as_ref().unwrap_or(page);
    let resolved = found.links.iter().filter_map(|link| resolve(base, link));
    resolved.filter(|link| same_site(page, link)).collect()
}

/// What the link points to; none if that is not on the web (`mailto:` and such)
/// or no URL at all.
pub fn resolve(base: &Url, link: &str) -> Option<Url> {
    let mut url = base.join(link).ok()?;
    // The fragment names a place within the page, it is never sent.
    url.set_fragment(None);
    is_web(&url).then_some(url)
}

/// Reads a URL as the user types it.
pub fn parse_start(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("malformed URL: {error}"))?;
    if !is_web(&url) {
        return Err("only http:// and https:// can be crawled".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

pub fn same_site(a: &Url, b: &Url) -> bool {
    a.host_str() == b.host_str()
        && a.scheme() == b.scheme()
        && a.port_or_known_default() == b.port_or_known_default()
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[derive(Default)]
struct Found {
    base: Option<String>,
    links: HashSet<String>,
}

fn scan(html: &[u8]) -> Found {
    let mut found = Found::default();
    let mut tokenizer = Tokenizer::new(html);
    while let Some(Ok(token)) = tokenizer.next() {
        if let Token::StartTag(tag) = token {
            found.note(&tag);
            if let Some(state) = content_state(&tag.name) {
                tokenizer.set_state(state);
            }
        }
    }
    found
}

impl Found {
    fn note(&mut self, tag: &StartTag<()>) {
        let tag_name = tag.name.as_slice();
        let Some(link) = link_attribute(tag_name).and_then(|name| tag.attributes.get(name)) else {
            return;
        };
        let link = String::from_utf8_lossy(link).into_owned();
        if tag_name == b"base" {
            // The first one counts, for the whole page.
            self.base.get_or_insert(link);
        } else {
            self.links.insert(link);
        }
    }
}

fn link_attribute(tag_name: &[u8]) -> Option<&'static [u8]> {
    match tag_name {
        b"a" | b"area" | b"base" | b"link" => Some(b"href"),
        b"frame" | b"iframe" | b"img" | b"script" => Some(b"src"),
        _ => None,
    }
}

/// How to read on after a tag whose content is not markup. Without this, the
/// text of a script would be searched for tags.
fn content_state(tag_name: &[u8]) -> Option<State> {
    match tag_name {
        // Nothing is scripted here, so this is markup like any other.
        b"noscript" => None,
        _ => html5gum::naive_next_state(tag_name),
    }
}
