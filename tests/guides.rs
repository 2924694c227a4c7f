//! The guides for those who come from elsewhere name what is there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const GUIDES: [&str; 3] = ["coming-from-greenlet.md", "coming-from-gevent.md", "coming-from-eventlet.md"];

/// What the tables say of std and its traits.
const STD: &str = "BufReader Duration Hash Option OwnedFd Result ZERO collect drop find let map_err move \
    read_vectored to_string try_from unwrap_or write_all write_vectored";

/// What they call their tasks, functions and values.
const PLACEHOLDERS: &str = "_ T TooLong U body c count d duration e expired f file g grace guard how items n \
    objects p sig stream t tasks tp v x";

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The names that public items have in the sources of a folder.
fn names(folder: &Path, into: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, into);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        // An item is named by the word after what it is; what is passed on, by all words of the line.
        for line in source.lines().map(str::trim) {
            let mut words = words(line);
            let is_variant = line.starts_with(char::is_uppercase) && line.ends_with([',', '{']);
            if is_variant || line.starts_with("macro_rules!") {
                into.extend(words.find(|word| *word != "macro_rules").map(str::to_string));
            } else if line.starts_with("pub use") {
                into.extend(words.map(str::to_string));
            } else if line.starts_with("pub ") {
                const ITEMS: &str = "fn struct enum trait mod type";
                let is_item = |word: &&str| ITEMS.split(' ').any(|item| item == *word);
                into.extend(words.find(is_item).and(words.next()).map(str::to_string));
            }
        }
    }
}

/// The pieces of code in the middle column of a guide's tables, with their lines' numbers.
fn claims(guide: &str) -> impl Iterator<Item = (usize, &str)> {
    let rows = guide
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| ") && line.matches(" |").count() >= 3);
    rows.flat_map(|(n, row)| {
        let middle = row.split(" | ").nth(1).unwrap_or_default();
        middle.split('`').skip(1).step_by(2).map(move |code| (n + 1, code))
    })
}

#[test]
fn what_the_tables_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known: HashSet<String> = HashSet::new();
    names(&root.join("src"), &mut known);
    known.extend(words(STD).chain(words(PLACEHOLDERS)).map(str::to_string));
    known.insert("GREENLET_BACKEND".into());
    let mut unknown = Vec::new();
    for name in GUIDES {
        let guide = fs::read_to_string(root.join("docs").join(name)).unwrap();
        let mut claims = claims(&guide).peekable();
        assert!(claims.peek().is_some(), "{name} has tables");
        for (line, code) in claims.filter(|(_, code)| !code.starts_with("std::") && !code.starts_with("io::"))
        {
            let missing =
                words(code).filter(|word| !known.contains(*word) && !word.starts_with(char::is_numeric));
            unknown.extend(missing.map(|word| format!("{name}:{line}: `{word}` in `{code}`")));
        }
    }
    assert!(unknown.is_empty(), "nothing has these names:\n{}", unknown.join("\n"));
}
