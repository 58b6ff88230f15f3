//! A TLS server in front of another server, which asks for a client certificate and keeps what it is
//! shown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::accept::accept;
use crate::certificates::{Authority, Certified};

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    own: Certified,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    behind: String,
    config: Arc<ServerConfig>,
    shown: Vec<CertificateDer<'static>>,
    refused: usize,
}

impl TlsProxy {
    /// A server that is certified by one authority and takes only who is certified by another.
    ///
    /// # Errors
    /// When no port can be bound or a certificate cannot be made.
    pub async fn start(servers: &Authority, clients: &Authority) -> anyhow::Result<Self> {
        let own = servers.issue("A party")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let config = config(&own, clients)?;
        let state = State { behind: String::new(), config, shown: Vec::new(), refused: 0 };
        let shared = Arc::new(Shared { own, state: Mutex::new(state) });
        let serving = Arc::clone(&shared);
        let serve = move |stream| pass(stream, Arc::clone(&serving));
        let accepting = tokio::spawn(accept(listener, serve));
        Ok(Self { address, shared, accepting })
    }

    /// Takes the place of the server at this URL, and gives the URL to ask for in its stead.
    ///
    /// # Panics
    /// When the URL has no host and port.
    #[must_use]
    pub fn in_front_of(&self, url: &str) -> String {
        let mut url = reqwest::Url::parse(url).expect("the server's url");
        let host = url.host_str().expect("a host");
        let port = url.port_or_known_default().expect("a port");
        self.shared.state().behind = format!("{host}:{port}");
        let path = url.path().to_owned();
        url = reqwest::Url::parse(&format!("https://{}", self.address)).expect("our own url");
        url.set_path(&path);
        url.to_string()
    }

    /// From now on takes only who is certified by this authority.
    ///
    /// # Errors
    /// When its certificate cannot be read.
    pub fn want(&self, clients: &Authority) -> anyhow::Result<()> {
        self.shared.state().config = config(&self.shared.own, clients)?;
        Ok(())
    }

    /// The certificates that it was shown and took, one a connection.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shared.state().shown.len()
    }

    /// Whether all but the first so many were this one.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn was_shown(&self, certified: &Certified, after: usize) -> bool {
        let it = certificate(certified).expect("a certificate");
        let state = self.shared.state();
        state.shown.len() > after && state.shown.iter().skip(after).all(|shown| *shown == it)
    }

    /// How many handshakes it has refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.shared.state().refused
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn certificate(of: &Certified) -> anyhow::Result<CertificateDer<'static>> {
    Ok(CertificateDer::from_pem_slice(of.certificate.as_bytes())?)
}

fn config(own: &Certified, clients: &Authority) -> anyhow::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(clients.own())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(own)?], key)?;
    Ok(Arc::new(config))
}

/// One connection to its end.
async fn pass(stream: TcpStream, shared: Arc<Shared>) {
    let config = Arc::clone(&shared.state().config);
    let Ok(mut secure) = TlsAcceptor::from(config).accept(stream).await else {
        shared.state().refused += 1;
        return;
    };
    let behind = {
        let shown = secure.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let mut state = shared.state();
        state.shown.extend(shown.map(|shown| shown.clone().into_owned()));
        state.behind.clone()
    };
    let Ok(mut server) = TcpStream::connect(behind).await else { return };
    drop(tokio::io::copy_bidirectional(&mut secure, &mut server).await);
}
