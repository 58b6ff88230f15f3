//! An authority of one test, and what it certifies, so that no key lies in a file.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, IsCa, Issuer, KeyPair,
};

/// Who is certified, for servers.
const MACHINE: [&str; 2] = ["localhost", "127.0.0.1"];

/// A certificate and its private key.
#[derive(Clone)]
pub struct Certified {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
}

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Certified,
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certified")
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// An authority that certifies itself.
    ///
    /// # Errors
    /// Without a source of chance.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut parameters = named(name)?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?;
        let own = Certified { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(parameters, key), own })
    }

    /// Its own certificate, for who trusts it.
    #[must_use]
    pub const fn own(&self) -> &Certified {
        &self.own
    }

    /// A certificate for this machine, as a server's or a client's.
    ///
    /// # Errors
    /// Without a source of chance.
    pub fn issue(&self, name: &str) -> Result<Certified, Error> {
        let key = KeyPair::generate()?;
        let certificate = named(name)?.signed_by(&key, &self.issuer)?;
        Ok(Certified { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn named(name: &str) -> Result<CertificateParams, Error> {
    let mut parameters = CertificateParams::new(MACHINE.map(str::to_owned))?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    Ok(parameters)
}
