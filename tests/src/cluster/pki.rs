//! The certificates of a cluster: one authority, the server's certificate, and one for each user.
//!
//! Everything is made anew for each cluster and valid until the temporary directory goes.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The names by which pods, nodes and tests reach the API server.
const SERVER_NAMES: [&str; 8] = [
    "127.0.0.1",
    "172.30.0.1",
    "10.96.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// The authority of a cluster, with its files in a directory.
pub(super) struct Pki {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    authority: String,
}

/// A certificate and its key, as PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Pki {
    /// Makes the authority, the server's certificate, and the key that signs tokens of service accounts.
    pub(super) fn create(dir: PathBuf) -> Self {
        fs::create_dir(&dir).expect("a directory for certificates");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Port53 tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).expect("an authority").pem();
        let pki = Pki { dir, issuer: Issuer::new(params, key), authority };
        write(&pki.authority_file(), &pki.authority);

        let mut params =
            CertificateParams::new(SERVER_NAMES.map(str::to_owned)).expect("names of the server");
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server = pki.sign(params);
        write(&pki.server_files().0, &server.certificate);
        write(&pki.server_files().1, &server.key);

        let kubelets = pki.user("kube-apiserver-kubelet-client", Some("system:masters"));
        write(&pki.kubelet_client_files().0, &kubelets.certificate);
        write(&pki.kubelet_client_files().1, &kubelets.key);

        let tokens = KeyPair::generate().expect("a key");
        write(&pki.token_files().0, &tokens.public_key_pem());
        write(&pki.token_files().1, &tokens.serialize_pem());
        pki
    }

    /// A certificate that the API server takes for `user`, of `group`. (The library keeps one organisation a
    /// name, so it cannot be of two.)
    pub(super) fn user(&self, user: &str, group: Option<&str>) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The certificate of the kubelet of a node, by which it asks and answers, and its key.
    pub(super) fn node(&self, node: &str, addresses: &[String]) -> Identity {
        let names: Vec<String> = addresses.iter().cloned().chain([node.to_owned()]).collect();
        let mut params = CertificateParams::new(names).expect("names of a node");
        params.distinguished_name.push(DnType::CommonName, format!("system:node:{node}"));
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// Writes an identity as the files `NAME.crt` and `NAME.key`.
    pub(super) fn write(&self, name: &str, identity: &Identity) -> [PathBuf; 2] {
        let files = ["crt", "key"].map(|kind| self.dir.join(format!("{name}.{kind}")));
        write(&files[0], &identity.certificate);
        write(&files[1], &identity.key);
        files
    }

    fn sign(&self, mut params: CertificateParams) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// The certificate of the authority, as PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn authority_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Certificate and key.
    pub(super) fn server_files(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("server.crt"), self.dir.join("server.key"))
    }

    /// Certificate and key by which the API server asks kubelets.
    pub(super) fn kubelet_client_files(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("kubelet-client.crt"), self.dir.join("kubelet-client.key"))
    }

    /// The public and the private key of tokens.
    pub(super) fn token_files(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("tokens.pub"), self.dir.join("tokens.key"))
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("a file of the certificates");
}
