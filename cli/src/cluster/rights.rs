//! What the API server would let this person do, asked before something is begun that needs it.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Error, Resource};
use port53_client::{explain, is_passing};
use port53_crds::Zone;

use super::Cluster;
use super::send::resource;
use super::wait::Place;

/// Something that is to be done to objects.
pub(crate) struct Wish<'a> {
    /// As in RBAC: `delete`.
    pub(crate) verb: &'static str,
    pub(crate) place: Place,
    /// To each of these.
    pub(crate) names: Vec<&'a str>,
}

impl Cluster {
    /// Whether the API server would allow it. Where it does not let that be asked it is told, and taken for
    /// allowed: it is then as it was before one could ask.
    ///
    /// # Errors
    /// When the API server cannot be reached.
    pub(crate) async fn may(&self, wish: &Wish<'_>) -> Result<bool, String> {
        let asked = async {
            if self.is_allowed(wish, None).await? {
                return Ok(true);
            }
            // A right may be one to some names alone.
            for name in &wish.names {
                if !self.is_allowed(wish, Some(name)).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match asked.await {
            Ok(is_allowed) => Ok(is_allowed),
            Err(error) if is_passing(&error) => Err(explain(&error)),
            Err(error) => {
                eprintln!("not known: whether you may {}: {}", wish.text(), explain(&error));
                Ok(true)
            }
        }
    }

    async fn is_allowed(&self, wish: &Wish<'_>, name: Option<&str>) -> Result<bool, Error> {
        let attributes = ResourceAttributes {
            verb: Some(wish.verb.to_owned()),
            group: Some(Zone::group(&()).into_owned()),
            resource: Some(resource(&wish.place.kind).plural),
            namespace: Some(wish.place.namespace.clone()),
            name: name.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let reviews: Api<SelfSubjectAccessReview> = self.of_all();
        let params = PostParams::default();
        let answer = self.asked(|| reviews.create(&params, &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

impl Wish<'_> {
    /// `delete dnsrecords in namespace dns`.
    pub(crate) fn text(&self) -> String {
        format!("{} {} in namespace {}", self.verb, resource(&self.place.kind).plural, self.place.namespace)
    }
}
