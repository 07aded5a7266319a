//! Whole configurations, on disk.

use std::fs;
use std::path::Path;

use super::*;
use port53_zone::rdata;
use tempfile::TempDir;

const ZONE: &str = "$TTL 300\n@ SOA ns1 h 7 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.53\n";

/// A directory with these files. `DIR` in a text is its path.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let text = text.replace("DIR", &directory.path().display().to_string());
        fs::write(path, text).expect("a file");
    }
    directory
}

fn configuration(directory: &TempDir) -> Configuration {
    read(&directory.path().join("named.conf"), Path::new("/")).expect("a configuration")
}

/// The zones that are read from their files, with the number of records of each.
fn zones(configuration: &Configuration, view: Option<&str>) -> Vec<(String, usize)> {
    let choice = configuration.choose(view, &[]).expect("a choice");
    let read = choice.chosen.iter().filter_map(|chosen| configuration.zone(chosen).zone.ok());
    read.map(|zone| (zone_text(&zone.apex), zone.records.len())).collect()
}

/// What is left out, also once the files are read: line, what, why.
fn left_out(configuration: &Configuration, view: Option<&str>) -> Vec<(u32, String, String)> {
    let choice = configuration.choose(view, &[]).expect("a choice");
    let unread = choice.chosen.iter().filter_map(|chosen| configuration.zone(chosen).zone.err());
    let all = choice.left_out.into_iter().chain(unread);
    all.map(|it| (it.position.line, it.what, it.why)).collect()
}

#[test]
fn zones_are_read_from_files_beneath_directory_and_what_is_included_counts() {
    let files = directory(&[
        (
            "named.conf",
            "include \"first.conf\";\noptions { // c\n directory \"DIR/zones\"; };\ninclude \"more/*.conf\";\n\
             zone \"a.example\" { type master; file \"a\"; };\nzone b.example IN { type primary; file \"DIR/b\"; };",
        ),
        ("first.conf", "acl x { 10/8; };\nzone \"f.example\" { type master; file \"a\"; };"),
        ("zones/more/1.conf", "include \"more/deeper\";"),
        ("zones/more/deeper", "zone \"c.example\" { type master; file \"c\"; };"),
        ("zones/a", ZONE),
        ("b", ZONE),
        // As `named` has it, relative to its directory and not to the file.
        ("zones/c", "$INCLUDE common\n$INCLUDE DIR/www\n"),
        ("zones/common", ZONE),
        ("www", "www 300 A 192.0.2.80\n"),
    ]);
    let configuration = configuration(&files);
    assert_eq!(configuration.findings, []);
    let expected = [("f.example", 2), ("c.example", 2), ("a.example", 2), ("b.example", 2)];
    let zones = zones(&configuration, None);
    let names: Vec<&str> = zones.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, expected.map(|(name, _)| name));
    assert_eq!(zones[1].1, 3, "{zones:?}");
    assert_eq!(left_out(&configuration, None), []);
}

#[test]
fn what_is_not_whole_in_a_file_is_left_out_with_what_to_do() {
    let statements = [
        ("type slave; masters { 192.0.2.1; }; file \"a\";", "its primary, 192.0.2.1"),
        ("type secondary; primaries { p; };", "dig @PRIMARY z AXFR"),
        ("type mirror;", "it is a mirror"),
        ("type forward; forwarders { };", "authoritative only"),
        ("type hint; file \"a\";", "nothing is to be done"),
        ("type stub; masters { 192.0.2.1; };", "whom to ask"),
        ("type static-stub;", "whom to ask"),
        ("type redirect; file \"a\";", "replaces answers"),
        ("type delegation-only;", "filters answers"),
        ("file \"a\";", "it has no type"),
        ("type master;", "it names no file"),
        ("type master; file \"a\"; database \"dlz x\";", "in the database"),
        ("type master; file \"a\"; dlz x;", "in the database"),
        ("type master; file \"a\"; masterfile-format raw;", "named-compilezone -f raw -F text -o z.zone z a"),
        ("type master; file \"a\"; dnssec-policy default;", "by dnssec-policy \"default\""),
        ("type master; file \"a\"; inline-signing yes; key-directory \"k\";", "by inline-signing"),
        ("type master; file \"a\"; auto-dnssec maintain;", "by auto-dnssec maintain"),
        ("in-view \"v\";", "which has no such zone"),
        ("template t;", "come from a template"),
        ("type master; file \"missing\";", "there is no such file"),
        ("type master; file \"DIR/fifo\";", "a pipe"),
        ("type master; file \"empty\";", "has no SOA"),
        ("type master; file \"other\";", "the SOA of other.example."),
    ];
    for (statement, words) in statements {
        let text = format!("options {{ directory \"DIR\"; }};\nzone \"z\" {{ {statement} }};");
        let other = format!("$ORIGIN other.example.\n{ZONE}");
        let files = directory(&[("named.conf", &text), ("a", ZONE), ("empty", ""), ("other", &other)]);
        let fifo = files.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("a pipe");
        let told = left_out(&configuration(&files), None);
        assert_eq!(told.len(), 1, "{statement}: {told:?}");
        assert_eq!((told[0].0, &told[0].1[..]), (2, "zone z"), "{statement}");
        assert!(told[0].2.contains(words), "{statement}: {told:?}");
    }
}

/// What `options` say counts for each zone, but for those that say otherwise.
#[test]
fn settings_are_inherited() {
    let files = directory(&[
        (
            "named.conf",
            "options { directory \"DIR\"; masterfile-format raw; dnssec-policy p; allow-new-zones yes; };\n\
             dlz \"d\" { database \"x\"; };\n\
             zone \"raw\" { type master; file \"a\"; dnssec-policy none; };\n\
             zone \"text\" { type master; file \"a\"; masterfile-format text; dnssec-policy none; };\n\
             zone \"signed\" { type master; file \"a\"; masterfile-format text; };\n\
             zone \"chaos\" CH { type master; file \"a\"; };\n",
        ),
        ("a", ZONE),
    ]);
    let configuration = configuration(&files);
    assert_eq!(zones(&configuration, None), [("text".to_owned(), 2)]);
    let told = left_out(&configuration, None);
    let what: Vec<&str> = told.iter().map(|(_, what, _)| &what[..]).collect();
    assert_eq!(what, ["allow-new-zones", "dlz d", "zone raw", "zone signed", "zone chaos"]);
    assert!(told[4].2.contains("its class is CH"), "{told:?}");
}

/// Of `options`, view and zone the nearest counts.
#[test]
fn a_view_says_otherwise_than_options() {
    let files = directory(&[
        (
            "named.conf",
            "view v {\n masterfile-format text;\n zone \"a\" { type master; file \"DIR/a\"; };\n\
             zone \"b\" { type master; file \"DIR/a\"; masterfile-format map; }; };\n\
             options { masterfile-format raw; };\n",
        ),
        ("a", ZONE),
    ]);
    let configuration = configuration(&files);
    assert_eq!(zones(&configuration, None), [("a".to_owned(), 2)]);
    assert!(left_out(&configuration, None)[0].2.contains("in the format map"));
}

/// Each file opens blocks around the next: the bound counts them all, or the stack would not do.
#[test]
fn blocks_and_includes_inside_one_another_end() {
    let nested = format!("{} include \"DIR/named.conf\"; {}", "a {".repeat(60), "};".repeat(60));
    let files = directory(&[("named.conf", &nested)]);
    let findings = configuration(&files).findings;
    assert!(findings.iter().any(|finding| finding.message.contains("more than 64 blocks")), "{findings:?}");
}

const VIEWS: &str = "options { directory \"DIR\"; };
view \"in\" { match-clients { 10/8; };
 zone \"both\" { type master; file \"a\"; };
 zone \"same\" { type master; file \"a\"; };
 zone \"lent\" { type master; file \"a\"; };
 zone \"inner\" { type master; file \"a\"; };
};
view out IN {
 zone \"both\" { type master; file \"b\"; };
 zone \"same\" { type master; file \"a\"; };
 zone \"lent\" { in-view \"in\"; };
};
view \"c\" CH { zone \"bind\" { type master; file \"a\"; }; };
";

#[test]
fn a_zone_that_differs_between_views_is_left_out_until_a_view_is_chosen() {
    let more = format!("{ZONE}www A 192.0.2.80\n");
    let files = directory(&[("named.conf", VIEWS), ("a", ZONE), ("b", &more)]);
    let configuration = configuration(&files);
    let names = |view| zones(&configuration, view);
    let owned = |zones: &[(&str, usize)]| -> Vec<(String, usize)> {
        zones.iter().map(|(name, records)| ((*name).to_owned(), *records)).collect()
    };
    assert_eq!(names(None), owned(&[("same", 2), ("lent", 2), ("inner", 2)]));
    assert_eq!(names(Some("in")), owned(&[("both", 2), ("same", 2), ("lent", 2), ("inner", 2)]));
    assert_eq!(names(Some("out")), owned(&[("both", 3), ("same", 2), ("lent", 2)]));
    let told = left_out(&configuration, None);
    let what: Vec<(u32, &str)> = told.iter().map(|(line, what, _)| (*line, &what[..])).collect();
    assert_eq!(what, [(3, "zone both in view in"), (9, "zone both in view out"), (13, "view c")]);
    assert!(told[0].2.contains("choose with --view in or --view out"), "{told:?}");
    let why = configuration.choose(Some("no"), &[]).expect_err("no such view");
    assert_eq!(why, "there is no view \"no\": give --view with one of in, out");
    let only =
        configuration.choose(None, &[name::parse_absolute("same").expect("a name")]).expect("a choice");
    assert_eq!(only.chosen.len(), 1);
}

/// A view that could not be read may have the zone, too, and with what strangers are not to see.
#[test]
fn zones_in_views_are_left_out_while_a_part_of_the_configuration_is_unknown() {
    let broken = format!("{VIEWS}include \"gone.conf\";\n");
    let files = directory(&[("named.conf", &broken), ("a", ZONE), ("b", ZONE)]);
    let configuration = configuration(&files);
    assert_eq!(configuration.findings.len(), 1);
    assert_eq!((configuration.findings[0].line, zones(&configuration, None)), (14, vec![]));
    assert!(left_out(&configuration, None).iter().any(|(_, _, why)| why.contains("choose one with --view")));
    assert_eq!(zones(&configuration, Some("in")).len(), 4);

    let files = directory(&[
        ("named.conf", "include \"DIR/gone.conf\";\nzone \"z\" { type master; file \"DIR/a\"; };"),
        ("a", ZONE),
    ]);
    let configuration = self::configuration(&files);
    assert_eq!((configuration.findings.len(), zones(&configuration, None).len()), (1, 1));
}

#[test]
fn a_file_that_is_behind_its_journal_is_left_out() {
    let journal = |serial: u8| {
        let mut octets = b";BIND LOG V9.2\n\0".to_vec();
        octets.extend([0, 0, 0, 5, 0, 0, 0, 64, 0, 0, 0, serial, 0, 0, 1, 0]);
        octets.extend([0; 32]);
        octets
    };
    let text = "zone \"z\" { type master; file \"DIR/a\"; };\nzone \"y\" { type master; file \"DIR/a\"; journal \"DIR/j\"; };";
    let files = directory(&[("named.conf", text), ("a", ZONE)]);
    fs::write(files.path().join("a.jnl"), journal(8)).expect("a file");
    fs::write(files.path().join("j"), journal(7)).expect("a file");
    let configuration = configuration(&files);
    assert_eq!(zones(&configuration, None), [("y".to_owned(), 2)]);
    let told = left_out(&configuration, None);
    assert!(
        told[0].2.contains("changes up to serial 8, and its file is at 7: run rndc sync -clean z"),
        "{told:?}"
    );
}

#[test]
fn paths_begin_at_the_root_that_is_given_and_do_not_lead_out_of_it() {
    let files = directory(&[
        (
            "jail/etc/named.conf",
            "options { directory \"/var/zones\"; };\nzone \"a\" { type master; file \"a\"; };\n\
             zone \"b\" { type master; file \"/var/link\"; };\nzone \"c\" { type master; file \"../../../../outside\"; };\n\
             zone \"d\" { type master; file \"/var/absolute\"; };\ninclude \"/etc/more.conf\";",
        ),
        ("jail/etc/more.conf", "zone \"e\" { type master; file \"a\"; };"),
        ("jail/var/zones/a", ZONE),
        ("outside", ZONE),
    ]);
    let jail = files.path().join("jail");
    std::os::unix::fs::symlink("../../outside", jail.join("var/link")).expect("a link");
    // Absolute links are those of the chroot, too.
    std::os::unix::fs::symlink("/var/zones/a", jail.join("var/absolute")).expect("a link");
    let configuration = read(&jail.join("etc/named.conf"), &jail).expect("a configuration");
    assert_eq!(configuration.findings, []);
    let expected = ["a", "d", "e"].map(|zone| (zone.to_owned(), 2));
    assert_eq!(zones(&configuration, None), expected);
    let told = left_out(&configuration, None);
    assert!(told.iter().all(|(_, _, why)| why.contains("there is no such file")), "{told:?}");
    assert!(told[0].2.contains("jail/var/link"), "{told:?}");
}

#[test]
fn a_file_that_includes_itself_ends() {
    let files = directory(&[
        ("named.conf", "include \"DIR/named.conf\";\nzone \"z\" { type master; file \"DIR/a\"; };"),
        ("a", ZONE),
    ]);
    let configuration = configuration(&files);
    assert_eq!(configuration.findings.len(), 1);
    assert!(configuration.findings[0].fix.contains("includes itself"), "{:?}", configuration.findings);
    assert_eq!(zones(&configuration, None).len(), 1);
    assert!(left_out(&configuration, None).iter().all(|(_, _, why)| why.contains("it is there twice")));
}

/// What is read of a zone is what its file says.
#[test]
fn records_are_those_of_the_file() {
    let files =
        directory(&[("named.conf", "zone \"z.example\" { type master; file \"DIR/a\"; };"), ("a", ZONE)]);
    let configuration = configuration(&files);
    let choice = configuration.choose(None, &[]).expect("a choice");
    let ZoneFile { zone, findings } = configuration.zone(&choice.chosen[0]);
    let zone = zone.expect("a zone");
    assert_eq!(findings, []);
    let shown = |line: &port53_zone::master::Located<port53_zone::Record>| {
        let record = &line.value;
        let value = rdata::display(record.rtype, &record.rdata);
        format!("{} {} {} {value}", name::display(&record.name), record.ttl, record.rtype)
    };
    let records: Vec<String> = zone.records.iter().map(shown).collect();
    assert_eq!(records, ["z.example. 300 NS ns1.z.example.", "ns1.z.example. 300 A 192.0.2.53"]);
}
