//! Forwarding: who answers for a zone that moves here from a legacy DNS.

use port53_crds::{
    Forwarding as ForwardingFields, GREATEST_LEGACY_TIMEOUT, LEAST_LEGACY_TIMEOUT, LEGACY_TIMEOUT,
    MAX_LEFT_OUT, Otherwise,
};
use port53_zone::{Name, name};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::StoreError;

/// Addresses of one legacy DNS.
const MAX_ADDRESSES: usize = 8;
/// Nameservers of a NameserverSet.
const MAX_CUT_OVER: usize = 26;

/// What a head says of a legacy DNS: `spec.forwarding`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarding {
    /// Where it answers, 1 to 8; the first is asked first.
    pub addresses: Vec<SocketAddr>,
    /// The nameservers that answer by themselves; all others forward. At most 26.
    pub cut_over: Vec<String>,
    /// Whether what is forwarded is answered here too, and compared.
    pub compare: bool,
    /// Who answers when legacy does not in time.
    pub otherwise: Otherwise,
    /// How long legacy may take: 100 ms to 5 s, in whole milliseconds.
    pub timeout: Duration,
    /// Owner names about which answers are not compared. At most 100.
    pub not_compared: BTreeSet<Name>,
}

impl Forwarding {
    /// To one legacy DNS, with nobody cut over, no comparison, and the default timeout.
    pub fn to(address: SocketAddr) -> Self {
        Forwarding {
            addresses: vec![address],
            cut_over: Vec::new(),
            compare: false,
            otherwise: Otherwise::Port53,
            timeout: Duration::from_millis(LEGACY_TIMEOUT.into()),
            not_compared: BTreeSet::new(),
        }
    }

    /// As it stands in an object.
    pub fn to_fields(&self) -> ForwardingFields {
        ForwardingFields {
            addresses: self.addresses.iter().map(SocketAddr::to_string).collect(),
            cut_over: self.cut_over.clone(),
            compare: self.compare,
            otherwise: self.otherwise,
            // At most 5000.
            timeout_milliseconds: self.timeout.as_millis() as u32,
            not_compared: self
                .not_compared
                .iter()
                .map(|name| name::display(name).to_ascii_lowercase())
                .collect(),
        }
    }

    /// Reads what an object says.
    ///
    /// # Errors
    /// With the field that cannot be.
    pub fn read(fields: &ForwardingFields) -> Result<Self, StoreError> {
        let mut addresses = Vec::new();
        for text in &fields.addresses {
            let address: SocketAddr = text.parse().map_err(|_| {
                let wrong = format!(
                    "\"{text}\" is not an address and a port: write 192.0.2.53:53 or [2001:db8::53]:53"
                );
                StoreError::field("spec.forwarding.addresses", wrong)
            })?;
            if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
                let wrong = format!("\"{text}\" is nowhere that a server can answer");
                return Err(StoreError::field("spec.forwarding.addresses", wrong));
            }
            addresses.push(address);
        }
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            let wrong = format!("{} addresses: write 1 to {MAX_ADDRESSES}", addresses.len());
            return Err(StoreError::field("spec.forwarding.addresses", wrong));
        }
        if fields.cut_over.len() > MAX_CUT_OVER {
            let wrong = format!("{} nameservers: at most {MAX_CUT_OVER}", fields.cut_over.len());
            return Err(StoreError::field("spec.forwarding.cutOver", wrong));
        }
        let milliseconds = fields.timeout_milliseconds;
        if !(LEAST_LEGACY_TIMEOUT..=GREATEST_LEGACY_TIMEOUT).contains(&milliseconds) {
            let wrong = format!(
                "{milliseconds}: write {LEAST_LEGACY_TIMEOUT} to {GREATEST_LEGACY_TIMEOUT} milliseconds"
            );
            return Err(StoreError::field("spec.forwarding.timeoutMilliseconds", wrong));
        }
        let left_out = &fields.not_compared;
        if left_out.len() > MAX_LEFT_OUT {
            let wrong = format!("{} names: at most {MAX_LEFT_OUT}", left_out.len());
            return Err(StoreError::field("spec.forwarding.notCompared", wrong));
        }
        let read = left_out.iter().map(|text| {
            let wrong =
                |error| StoreError::field("spec.forwarding.notCompared", format!("\"{text}\" {error}"));
            name::parse_absolute(text).map_err(wrong)
        });
        let not_compared = read.collect::<Result<_, _>>()?;
        Ok(Forwarding {
            addresses,
            cut_over: fields.cut_over.clone(),
            compare: fields.compare,
            otherwise: fields.otherwise,
            timeout: Duration::from_millis(milliseconds.into()),
            not_compared,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarding() -> Forwarding {
        Forwarding {
            addresses: ["192.0.2.53:53", "[2001:db8::53]:5353"].map(|text| text.parse().expect("one")).into(),
            cut_over: vec!["ns1".to_owned()],
            compare: true,
            otherwise: Otherwise::LastKnown,
            timeout: Duration::from_millis(250),
            not_compared: BTreeSet::from([name::parse_absolute("old.example.com").expect("a name")]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Forwarding::read(&forwarding().to_fields()), Ok(forwarding()));
        let least = Forwarding::to("192.0.2.53:53".parse().expect("an address"));
        let text = r#"{"addresses":["192.0.2.53:53"],"otherwise":"Port53"}"#;
        let fields = serde_json::from_str(text).expect("fields with their defaults");
        assert_eq!(Forwarding::read(&fields), Ok(least));
    }

    #[test]
    fn what_cannot_be_is_said_with_its_field() {
        let refused = |edit: fn(&mut ForwardingFields)| {
            let mut fields = forwarding().to_fields();
            edit(&mut fields);
            Forwarding::read(&fields).expect_err("it is noticed").to_string()
        };
        for edit in [
            (|fields| fields.addresses[0] = "192.0.2.53".to_owned()) as fn(&mut ForwardingFields),
            |fields| fields.addresses[0] = "ns.example:53".to_owned(),
            |fields| fields.addresses[0] = "192.0.2.53:0".to_owned(),
            |fields| fields.addresses[0] = "[::]:53".to_owned(),
            |fields| fields.addresses.clear(),
            |fields| fields.addresses = vec!["192.0.2.53:53".to_owned(); 9],
        ] {
            assert!(refused(edit).starts_with("spec.forwarding.addresses: "), "{}", refused(edit));
        }
        assert!(
            refused(|fields| fields.cut_over = vec![String::new(); 27])
                .starts_with("spec.forwarding.cutOver: ")
        );
        for edit in [(|fields| fields.timeout_milliseconds = 99) as fn(&mut ForwardingFields), |fields| {
            fields.timeout_milliseconds = 5001
        }] {
            assert!(refused(edit).starts_with("spec.forwarding.timeoutMilliseconds: "));
        }
    }
}
