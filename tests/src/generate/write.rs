//! A zone as a master file.

use super::zone::Made;

pub(super) fn master_file(zone: &Made) -> String {
    let mut text = format!(
        "$TTL 3600\n{} {} IN SOA ns.invalid. hostmaster.invalid. 7 3600 600 604800 {}\n",
        zone.apex, zone.soa_ttl, zone.minimum
    );
    for (owner, sets) in &zone.sets {
        let owner = zone.absolute(owner);
        for set in sets {
            let owner = if set.is_upper { owner.to_ascii_uppercase() } else { owner.clone() };
            for value in &set.values {
                text.push_str(&format!("{owner} {} IN {} {value}\n", set.ttl, set.rtype));
            }
        }
    }
    text
}
