//! A web site made of a tree of files: a page for each directory, and one or
//! more for each text file.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use url::Url;

/// The split of files into pages is made finer until there are this many pages,
const FEWEST_PAGES: usize = 150;
/// or coarser until there are no more than that.
const MOST_PAGES: usize = 400;
const USUAL_LINES: usize = 200;
const FEWEST_LINES: usize = 10;

const LONGEST_FILE: u64 = 1024 * 1024;
const SKIPPED: [&str; 2] = ["target", ".git"];

/// What the start page links to although it is not there, for the crawl to find.
const BROKEN_LINK: &str = "/no-such-page";

pub struct Site {
    /// By path and query, as requests name them.
    pages: HashMap<String, String>,
}

#[derive(Default)]
struct Tree {
    directories: Vec<Directory>,
}

struct Directory {
    path: String,
    /// The paths of the directories in it.
    directories: Vec<String>,
    files: Vec<TextFile>,
}

struct TextFile {
    path: String,
    text: String,
}

impl Site {
    pub fn of_tree(root: &Path) -> io::Result<Self> {
        let tree = Tree::read(root)?;
        let lines = tree.lines_per_page();
        let mut pages = HashMap::new();
        for directory in &tree.directories {
            pages.insert(directory.path.clone(), directory.render(lines));
            for file in &directory.files {
                file.render(&directory.path, lines, &mut pages);
            }
        }
        Ok(Self { pages })
    }

    pub fn len(&self) -> usize {
        self.pages.len()
    }

    pub fn page(&self, target: &str) -> Option<&str> {
        self.pages.get(target).map(String::as_str)
    }
}

impl Tree {
    /// Reads the tree level by level, and no more of it than there may be pages.
    fn read(root: &Path) -> io::Result<Self> {
        // Below, what cannot be read is left out. The root is not.
        fs::read_dir(root)?;
        let mut tree = Self::default();
        let mut waiting = VecDeque::from([(root.to_owned(), "/".to_owned())]);
        let mut room = MOST_PAGES - 1;
        while let Some((folder, path)) = waiting.pop_front() {
            let (directory, subfolders) = Directory::read(&folder, path, room);
            room -= directory.files.len() + directory.directories.len();
            waiting.extend(subfolders.into_iter().zip(directory.directories.clone()));
            tree.directories.push(directory);
        }
        Ok(tree)
    }

    fn lines_per_page(&self) -> usize {
        let mut lines = USUAL_LINES;
        while self.page_count(lines) < FEWEST_PAGES && lines > FEWEST_LINES {
            lines /= 2;
        }
        // There are no more files than pages allowed, so this ends.
        while self.page_count(lines) > MOST_PAGES {
            lines += USUAL_LINES;
        }
        lines
    }

    fn page_count(&self, lines: usize) -> usize {
        let files = self.directories.iter().flat_map(|d| &d.files);
        self.directories.len() + files.map(|file| file.page_count(lines)).sum::<usize>()
    }
}

impl Directory {
    /// Reads a folder and also returns the folders in it, in the order of
    /// `directories`. Takes no more than `room` entries.
    fn read(folder: &Path, path: String, room: usize) -> (Self, Vec<PathBuf>) {
        let mut directory = Self { path, directories: Vec::new(), files: Vec::new() };
        let mut subfolders = Vec::new();
        for (entry, name) in entries(folder) {
            if directory.files.len() + subfolders.len() == room {
                break;
            }
            let path = child_path(&directory.path, &name);
            // Symbolic links are neither: they might lead round in circles.
            if entry.is_dir() && !entry.is_symlink() {
                directory.directories.push(path + "/");
                subfolders.push(entry);
            } else if let Some(text) = read_text(&entry) {
                directory.files.push(TextFile { path, text });
            }
        }
        (directory, subfolders)
    }

    fn render(&self, lines: usize) -> String {
        let mut body = String::from("<ul>\n");
        if let Some(parent) = parent_path(&self.path) {
            body += &format!("<li>{}\n", anchor(parent, "parent directory"));
        } else {
            body += &format!("<li>{}\n", anchor(BROKEN_LINK, "broken on purpose"));
        }
        for path in &self.directories {
            body += &format!("<li>{}\n", anchor(path, path));
        }
        for file in &self.files {
            body += &format!("<li>{}", anchor(&file.path, &file.path));
            for part in 2..=file.page_count(lines) {
                body += &format!(" {}", anchor(&file.page_path(part), &part.to_string()));
            }
            body += "\n";
        }
        document(&self.path, &(body + "</ul>\n"))
    }
}

impl TextFile {
    fn page_count(&self, lines: usize) -> usize {
        self.text.lines().count().div_ceil(lines).max(1)
    }

    /// The path of one of the file's pages, which are numbered from 1.
    fn page_path(&self, part: usize) -> String {
        match part {
            1 => self.path.clone(),
            _ => format!("{}?page={part}", self.path),
        }
    }

    fn render(&self, directory: &str, lines: usize, pages: &mut HashMap<String, String>) {
        let all_lines: Vec<&str> = self.text.lines().collect();
        let count = self.page_count(lines);
        for part in 1..=count {
            let first = (part - 1) * lines;
            let last = all_lines.len().min(first + lines);
            let mut body = anchor(directory, "directory");
            if part > 1 {
                body += &format!(" {}", anchor(&self.page_path(part - 1), "previous"));
            }
            if part < count {
                body += &format!(" {}", anchor(&self.page_path(part + 1), "next"));
            }
            let text = escape(&all_lines[first..last].join("\n"));
            body += &format!("\n<pre>\n{text}\n</pre>\n");
            pages.insert(self.page_path(part), document(&self.path, &body));
        }
    }
}

/// What is in a folder, by name, but for what has no place on the site.
fn entries(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut entries: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            (!SKIPPED.contains(&name.as_str())).then(|| (entry.path(), name))
        })
        .collect();
    entries.sort();
    entries
}

fn read_text(file: &Path) -> Option<String> {
    let metadata = fs::symlink_metadata(file).ok()?;
    // No empty ones either: such as those in /proc may never end when read.
    if !metadata.is_file() || !(1..=LONGEST_FILE).contains(&metadata.len()) {
        return None;
    }
    fs::read_to_string(file).ok()
}

/// The path, escaped for a URL, of something in a directory.
fn child_path(directory: &str, name: &str) -> String {
    const SITE: &str = "http://localhost";
    let mut url = Url::parse(SITE).expect("this is a URL");
    url.set_path(directory);
    url.path_segments_mut().expect("http URLs have path segments").pop_if_empty().push(name);
    url.path().to_owned()
}

/// The directory that a directory is in; none for the root.
fn parent_path(path: &str) -> Option<&str> {
    let slash = path.trim_end_matches('/').rfind('/')?;
    Some(&path[..=slash])
}

fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!("<!DOCTYPE html>\n<title>{title}</title>\n<h1>{title}</h1>\n{body}")
}

fn anchor(target: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(target), escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
