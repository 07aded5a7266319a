//! The record types of the definitions are those that the DNS model knows: `crds` may not look there itself.

use port53_crds::{KNOWN_TYPES, REFUSED_TYPES};
use port53_zone::rdata::{display_rtype, parse_rtype};

#[test]
fn every_mnemonic_of_data_may_be_written() {
    for number in 1..=65_534u16 {
        let Some(rtype) = parse_rtype(&format!("TYPE{number}")) else { continue };
        let name = display_rtype(rtype);
        let known = KNOWN_TYPES.contains(&name.as_str());
        let refused = name == "SOA" || REFUSED_TYPES.contains(&name.as_str());
        assert!(known || refused || name == format!("TYPE{number}"), "{name} ({number}) is in no list");
        assert!(!(known && refused), "{name} is in both lists");
    }
}

#[test]
fn every_type_that_may_be_written_is_known() {
    for name in KNOWN_TYPES {
        let rtype = parse_rtype(name).unwrap_or_else(|| panic!("{name} is no type of data"));
        assert_eq!(display_rtype(rtype), *name);
    }
}

#[test]
fn types_are_refused_by_name_and_number() {
    for pair in REFUSED_TYPES.chunks(2) {
        assert_eq!(parse_rtype(pair[0]), parse_rtype(pair[1]), "{pair:?}");
    }
}
