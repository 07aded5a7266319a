//! What a zone says about itself: its SOA but for the serial, and its nameservers.

use std::sync::Arc;

use port53_crds::{Reason, SoaSpec, Zone};
use port53_zone::{Name, RRset, Rdata, Rtype, Soa, name};

use crate::stages::Published;
use crate::transfer;
use crate::verdict::Complaint;

/// What a zone says about itself. The serial of the SOA is that of the master file, or 0.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) soa: Soa,
    /// NS at the apex from `spec.nameservers`.
    pub(crate) nameservers: Option<RRset>,
    /// Errors: then these are the last good terms. Warnings: then they are as written.
    pub(crate) complaints: Vec<Complaint>,
}

impl Terms {
    /// Reads the terms of a Zone. `nameservers` are those of a zone that names none; where there are none either,
    /// those that it has `published` stay: that the operator was not told of any removes nothing.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn read(
        zone: &Zone,
        apex: &Name,
        nameservers: &[Name],
        published: Option<&Published>,
    ) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut kept = None;
        let mut hosts = Vec::new();
        for (i, text) in zone.spec.nameservers.iter().enumerate() {
            let field = format!("spec.nameservers[{i}]");
            hosts.extend(absolute(&field, text, &mut complaints));
        }
        if zone.spec.nameservers.is_empty() {
            hosts = nameservers.to_vec();
            kept = published.filter(|_| nameservers.is_empty()).and_then(own_nameservers);
        }
        let spec = &zone.spec.soa;
        let primary = match (&spec.primary, published) {
            (Some(text), _) => absolute("spec.soa.primary", text, &mut complaints),
            (None, Some(published)) if hosts.is_empty() => Some(published.soa.primary.clone()),
            (None, _) => hosts.first().cloned(),
        };
        let contact = contact(spec, apex, &mut complaints);
        complaints.extend(transfer::complaints(zone));
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let values: Vec<Rdata> = match &kept {
            Some(kept) => kept.values().to_vec(),
            None => hosts.iter().map(|host| Rdata::from_trusted_wire(host.as_octets().clone())).collect(),
        };
        let nameservers =
            (!values.is_empty()).then(|| RRset::new(apex.clone(), Rtype::NS, zone.spec.default_ttl, values));
        complaints.extend(kept.map(|_| without_nameservers()));
        let soa = Soa {
            primary: primary.unwrap_or_else(|| apex.clone()),
            contact,
            serial: 0,
            refresh: spec.refresh,
            retry: spec.retry,
            expire: spec.expire,
            minimum: spec.negative_ttl,
            ttl: spec.ttl,
        };
        Ok(Terms { soa, nameservers, complaints })
    }

    /// The terms of a master file: as written.
    pub(crate) fn of_master(soa: &Soa) -> Self {
        Terms { soa: soa.clone(), nameservers: None, complaints: Vec::new() }
    }

    /// The terms that are published, with what is wrong with the newer ones.
    pub(crate) fn last_good(published: &Published, complaints: Vec<Complaint>) -> Self {
        Terms { soa: published.soa.clone(), nameservers: own_nameservers(published), complaints }
    }
}

/// The NS at the apex that the Zone itself has published.
pub(crate) fn own_nameservers(published: &Published) -> Option<RRset> {
    let apex = published.content.apex();
    let owner: Arc<str> = published.holder.owner();
    let is_ours = published.content.owner_of(apex, Rtype::NS).is_some_and(|held| held == owner);
    published.content.get(apex, Rtype::NS).filter(|_| is_ours)
}

fn without_nameservers() -> Complaint {
    let message =
        "names none, and the operator was started without --nameserver: the NS that are published stay";
    let fix = "name the nameservers of the zone here, or start the operator with --nameserver";
    Complaint::error(Reason::NoNameservers, "spec.nameservers", message, fix).as_warning()
}

fn absolute(field: &str, text: &str, complaints: &mut Vec<Complaint>) -> Option<Name> {
    match name::parse_absolute(text) {
        Ok(host) => Some(host),
        Err(error) => {
            let message = format!("\"{text}\" {error}");
            let fix = "write the whole hostname, such as ns1.example.com";
            complaints.push(Complaint::error(Reason::InvalidSpec, field, message, fix));
            None
        }
    }
}

/// RNAME: the part before the @ is one label, whatever its dots (RFC 1035 §8).
fn contact(spec: &SoaSpec, apex: &Name, complaints: &mut Vec<Complaint>) -> Name {
    let read = match spec.contact.as_deref() {
        None => name::parse("hostmaster", apex),
        Some(text) => match text.split_once('@') {
            Some((local, domain)) => name::parse_absolute(domain)
                .and_then(|domain| name::parse(&local.replace('\\', "\\\\").replace('.', "\\."), &domain)),
            None => name::parse_absolute(text),
        },
    };
    read.unwrap_or_else(|error| {
        let text = spec.contact.as_deref().unwrap_or("hostmaster");
        let message = format!("\"{text}\" {error}");
        let fix = "write a mailbox, such as hostmaster@example.com";
        complaints.push(Complaint::error(Reason::InvalidSpec, "spec.soa.contact", message, fix));
        apex.clone()
    })
}
