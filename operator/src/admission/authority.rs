//! The certificates of the webhook: an authority of our own that nobody else trusts, and a certificate of it for the
//! Service. Nothing but the keys depends on chance, and the time is an input.
//!
//! The API server is told of a new authority beside the one before, long before that ends; a certificate of the new one is
//! made when the one in use comes to its end. So there is no moment at which either is not trusted.

use std::time::Duration;

use port53_client::chain;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an authority lasts, and a certificate. Each is made anew when a third of that is left.
const AUTHORITY_LASTS: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const CERTIFICATE_LASTS: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// Clocks of other machines may be behind.
const BEHIND: Duration = DAY;

/// Everything that is kept, as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Material {
    /// Certificates of authorities, the newest first: what the API server is to trust.
    pub(super) authorities: String,
    /// The key of the first.
    pub(super) authority_key: String,
    /// That of the Service.
    pub(super) certificate: String,
    /// Its key.
    pub(super) key: String,
}

impl Material {
    /// All of it anew, for a Service of these names. `now` is since 1970.
    ///
    /// # Errors
    /// When there is no chance for keys, in words.
    pub(super) fn new(names: &[String], now: Duration) -> Result<Self, String> {
        let (authority, authority_key) = new_authority(now)?;
        let (certificate, key) = new_certificate(&authority_key, names, now)?;
        Ok(Material { authorities: authority, authority_key, certificate, key })
    }

    /// The same with what is due made anew, if anything is: what ends soon, and what is of no use for these names.
    ///
    /// # Errors
    /// When there is no chance for keys, in words.
    pub(super) fn renewed(&self, names: &[String], now: Duration) -> Result<Option<Self>, String> {
        let authorities = all(&self.authorities);
        let Some(first) = authorities.first().and_then(|pem| ends(pem)) else {
            return Material::new(names, now).map(Some);
        };
        let mut material = self.clone();
        if is_due(first, AUTHORITY_LASTS, now) {
            let (authority, authority_key) = new_authority(now)?;
            let alive = authorities.iter().filter(|pem| ends(pem).is_some_and(|ends| ends > now));
            material.authorities = alive.fold(authority, |all, pem| all + pem);
            material.authority_key = authority_key;
        }
        let is_due = ends(&self.certificate).is_none_or(|ends| is_due(ends, CERTIFICATE_LASTS, now));
        if is_due || self.certified().is_err() || !is_for(&self.certificate, names) {
            (material.certificate, material.key) = new_certificate(&material.authority_key, names, now)?;
        }
        Ok((material != *self).then_some(material))
    }

    /// What TLS is spoken with.
    ///
    /// # Errors
    /// When certificate and key are none, or not of each other, in words.
    pub(super) fn certified(&self) -> Result<CertifiedKey, String> {
        certified(self.certificate.as_bytes(), self.key.as_bytes())
    }
}

/// What TLS is spoken with, of PEM.
///
/// # Errors
/// When certificate and key are none, or not of each other, in words.
pub(super) fn certified(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain_of_certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    CertifiedKey::from_der(chain_of_certificates, key, &ring::default_provider())
        .map_err(|error| chain(&error))
}

fn new_authority(now: Duration) -> Result<(String, String), String> {
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let certificate = params(now, AUTHORITY_LASTS, authority_params())
        .self_signed(&key)
        .map_err(|error| error.to_string())?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// All that is written of an authority by one that it signs is its name and its key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Port53 webhook authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn new_certificate(authority_key: &str, names: &[String], now: Duration) -> Result<(String, String), String> {
    let make = || {
        let issuer = Issuer::new(authority_params(), KeyPair::from_pem(authority_key)?);
        let mut params = params(now, CERTIFICATE_LASTS, CertificateParams::new(names)?);
        params.distinguished_name.push(DnType::CommonName, "port53-operator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok::<_, rcgen::Error>((certificate.pem(), key.serialize_pem()))
    };
    make().map_err(|error| error.to_string())
}

fn params(now: Duration, lasts: Duration, mut params: CertificateParams) -> CertificateParams {
    let time = |at: Duration| std::time::UNIX_EPOCH + at;
    params.not_before = time(now.saturating_sub(BEHIND)).into();
    params.not_after = time(now + lasts).into();
    params
}

/// The certificates of a text in PEM, one by one.
fn all(pem: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = pem.split_inclusive(END).filter(|part| part.contains(END));
    parts.map(|part| format!("{}\n", part.trim_start())).collect()
}

fn parsed(pem: &str) -> Option<x509_cert::Certificate> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    x509_cert::Certificate::from_der(&der).ok()
}

/// When a certificate ends, since 1970.
fn ends(pem: &str) -> Option<Duration> {
    Some(parsed(pem)?.tbs_certificate.validity.not_after.to_unix_duration())
}

fn is_due(ends: Duration, lasts: Duration, now: Duration) -> bool {
    ends.saturating_sub(now) < lasts / 3
}

/// Whether a certificate is for all of these names.
fn is_for(pem: &str, names: &[String]) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    // Names stand in it as they are (RFC 5280 §4.2.1.6: IA5String).
    names.iter().all(|name| der.windows(name.len()).any(|octets| octets == name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_795_536_000);

    fn names() -> Vec<String> {
        vec!["port53-operator.port53.svc".to_owned(), "port53-operator.port53.svc.cluster.local".to_owned()]
    }

    #[test]
    fn what_is_new_is_used_as_it_is() {
        let material = Material::new(&names(), NOW).expect("keys");
        material.certified().expect("a pair");
        assert_eq!(material.renewed(&names(), NOW).expect("keys"), None);
        assert_eq!(ends(&material.certificate), Some(NOW + CERTIFICATE_LASTS));
        assert_eq!(all(&material.authorities), std::slice::from_ref(&material.authorities));
    }

    #[test]
    fn a_certificate_is_made_anew_when_a_third_is_left() {
        let material = Material::new(&names(), NOW).expect("keys");
        assert_eq!(material.renewed(&names(), NOW + 39 * DAY).expect("keys"), None);
        let renewed = material.renewed(&names(), NOW + 41 * DAY).expect("keys").expect("one is due");
        assert_ne!(renewed.certificate, material.certificate);
        assert_eq!(renewed.authorities, material.authorities);
        renewed.certified().expect("a pair");
    }

    /// The one before is trusted until it ends, and what is in use is of it.
    #[test]
    fn an_authority_is_made_anew_beside_the_one_before() {
        let mut material = Material::new(&names(), NOW).expect("keys");
        let mut certificates = vec![material.certificate.clone()];
        for month in 1..40 {
            let now = NOW + month * 30 * DAY;
            if let Some(renewed) = material.renewed(&names(), now).expect("keys") {
                if renewed.authorities != material.authorities {
                    assert!(renewed.authorities.contains(&all(&material.authorities)[0]), "both are trusted");
                }
                material = renewed;
                certificates.push(material.certificate.clone());
            }
            let trusted = all(&material.authorities);
            assert!((1..=2).contains(&trusted.len()), "{}", trusted.len());
            assert!(trusted.iter().all(|pem| ends(pem).is_some_and(|ends| ends > now)) || trusted.len() == 2);
            material.certified().expect("a pair");
        }
        assert!(certificates.len() > 20);
    }

    #[test]
    fn what_is_of_no_use_is_made_anew() {
        let material = Material::new(&names(), NOW).expect("keys");
        let other = Material::new(&names(), NOW).expect("keys");
        let mixed = Material { key: other.key, ..material.clone() };
        assert!(
            mixed
                .renewed(&names(), NOW)
                .expect("keys")
                .expect("they do not belong together")
                .certified()
                .is_ok()
        );
        let nothing = Material { authorities: String::new(), ..material.clone() };
        assert!(nothing.renewed(&names(), NOW).expect("keys").is_some());
        let elsewhere = vec!["port53-operator.elsewhere.svc".to_owned()];
        assert!(material.renewed(&elsewhere, NOW).expect("keys").is_some(), "it has another name");
    }
}
