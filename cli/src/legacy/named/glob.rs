//! What an `include` with a pattern names: `*` and `?` and `[…]` in the parts of a path, as the `glob` of C takes
//! them. What begins with a dot is only named by a pattern that does.

use std::path::{Component, Path, PathBuf};

/// Files that one pattern may name.
const MOST: usize = 10_000;

/// The paths within `root` that are like the absolute `pattern`, in the order of their names.
pub(super) fn matches(root: &Path, pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.components() {
        let Component::Normal(part) = part else { continue };
        let part = part.to_string_lossy();
        if !part.contains(['*', '?', '[']) {
            paths.iter_mut().for_each(|path| path.push(&*part));
            continue;
        }
        paths = paths.iter().flat_map(|path| listed(root, path, &part)).take(MOST).collect();
    }
    paths.sort();
    paths
}

/// What in a directory is like `pattern`.
fn listed(root: &Path, directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let outside = root.join(directory.strip_prefix("/").unwrap_or(directory));
    let pattern: Vec<char> = pattern.chars().collect();
    let entries = std::fs::read_dir(outside).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_named = |name: &String| {
        let name: Vec<char> = name.chars().collect();
        (name[0] != '.' || pattern[0] == '.') && is_like(&pattern, &name)
    };
    names.filter(is_named).map(|name| directory.join(name)).collect()
}

/// Whether a name is like a pattern. The last asterisk alone is gone back to, so this takes no longer than the
/// product of both lengths.
fn is_like(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut matched) = (0, 0);
    let mut asterisk: Option<(usize, usize)> = None;
    while matched < name.len() {
        match one(&pattern[at..], name[matched]) {
            Some(length) => {
                at += length;
                matched += 1;
            }
            None if pattern.get(at) == Some(&'*') => {
                asterisk = Some((at, matched));
                at += 1;
            }
            None => {
                let Some((star, from)) = asterisk else { return false };
                asterisk = Some((star, from + 1));
                (at, matched) = (star + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// How many characters of the pattern stand for this one, if they do.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => {
            let (is_not, set) = match rest {
                ['!' | '^', set @ ..] => (true, set),
                set => (false, set),
            };
            // A bracket at the beginning is one of the set.
            let end = 1 + set.get(1..)?.iter().position(|c| *c == ']')?;
            let mut inside = &set[..end];
            let mut is_in = false;
            while let Some((first, after)) = inside.split_first() {
                inside = match after {
                    ['-', last, after @ ..] => {
                        is_in |= (*first..=*last).contains(&c);
                        after
                    }
                    after => {
                        is_in |= *first == c;
                        after
                    }
                };
            }
            (is_in != is_not).then_some(1 + usize::from(is_not) + end + 1)
        }
        ['*', ..] => None,
        [first, ..] => (*first == c).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        let is_like = |pattern: &str, name: &str| {
            let chars = |text: &str| text.chars().collect::<Vec<char>>();
            is_like(&chars(pattern), &chars(name))
        };
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "x", true),
            ("?", "xy", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[]x]", "]", true),
            ("[", "[", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_begins_with_a_dot_is_hidden_and_the_order_is_that_of_names() {
        let directory = tempfile::TempDir::new().expect("a directory");
        for name in ["b.conf", "a.conf", ".c.conf", "d.txt"] {
            std::fs::write(directory.path().join(name), "").expect("a file");
        }
        let found = matches(directory.path(), Path::new("/*.conf"));
        assert_eq!(found, [Path::new("/a.conf"), Path::new("/b.conf")]);
    }
}
