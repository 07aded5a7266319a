//! The DNSRecords of a Zone, which may be in any namespace.

use kube::api::ListParams;
use port53_client::explain;
use port53_crds::{DNSRecord, Zone};

use super::zones::namespaced;
use super::{Cluster, field_is, is_forbidden};

impl Cluster {
    /// The DNSRecords that name a Zone, and whether these are all: who may not look into other namespaces sees
    /// those of the Zone's own.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) async fn records_of(&self, zone: &Zone) -> Result<(Vec<DNSRecord>, bool), String> {
        let (namespace, name) = namespaced(zone);
        let params = ListParams::default().fields(&field_is("spec.zoneRef.name", name));
        let (mut records, is_all) = match self.list(&self.of_all::<DNSRecord>(), &params).await {
            Err(error) if is_forbidden(&error) => {
                let own = self.list(&self.of::<DNSRecord>(namespace), &params).await;
                let told =
                    |error| format!("the DNSRecords of {namespace} cannot be listed: {}", explain(&error));
                (own.map_err(told)?, false)
            }
            listed => {
                let told = |error| format!("the DNSRecords cannot be listed: {}", explain(&error));
                (listed.map_err(told)?, true)
            }
        };
        records.retain(|record| {
            let of_record = record.metadata.namespace.as_deref().unwrap_or_default();
            record.spec.zone_ref.namespace.as_deref().unwrap_or(of_record) == namespace
        });
        Ok((records, is_all))
    }
}
