//! The way to the API server: where it is, who we are, and how bytes get there.
//!
//! The connections are our own, and not those that the library would make: they notice a server
//! whose host is gone, honour the proxy variables in a pod too, and leave it to the caller when to
//! try again and what to log.

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tower::{BoxError, ServiceExt as _};

#[cfg(test)]
mod tests;

/// How long it may take to connect; a host that is back is then found soon.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection may be silent before the kernel asks whether the host is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long the host may leave bytes or that question without an answer.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Which API server to use, and as whom.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig file; without it those of `KUBECONFIG`, or else the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; without it the current one.
    pub context: Option<String>,
}

/// A cluster to talk to. Nothing has been sent to it yet.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// The client. No call of it ends by itself: put each under a timeout.
    pub(crate) client: kube::Client,
    /// The API server, `https://192.0.2.1:6443`.
    pub(crate) server: String,
}

/// Why there is no way to a cluster. To try again does not help: an administrator has to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A context is named, and no kubeconfig.
    #[error("--context is one of a kubeconfig: give that, too")]
    NoKubeconfig,
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig {origin}")]
    Kubeconfig {
        /// The file, or those of `KUBECONFIG`.
        origin: String,
        /// Why.
        source: InvalidKubeconfig,
    },
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig FILE"
    )]
    NoPod,
    /// The files of the pod's service account cannot be used.
    #[error("cannot use the pod's service account")]
    ServiceAccount(#[source] InClusterError),
    /// What is said there cannot be done.
    #[error("cannot make a client for the API server")]
    Client(#[source] NoClient),
}

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKubeconfig {
    /// It cannot be read, or contradicts itself.
    #[error(transparent)]
    Content(#[from] KubeconfigError),
    /// Its `proxy-url`, shown without a password, is none.
    #[error("proxy-url: {0:?} is no address of a proxy, http://HOST:PORT")]
    ProxyUrl(String),
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The library cannot make it, of a certificate for instance.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// The proxy's URL has this scheme.
    #[error("the proxy {0}://… is of a kind that is not supported: write http:// or https://")]
    Proxy(String),
}

/// Finds the way to a cluster, without going it.
///
/// # Errors
/// The kubeconfig or the service account's files cannot be used.
pub(crate) async fn connect(access: &Access) -> Result<Cluster, ConnectError> {
    let (config, own_proxy) = configuration(access).await?;
    let proxy = own_proxy.or_else(|| proxy_of_environment(&config.cluster_url));
    let server = config.cluster_url.to_string();
    let client = build(&config, proxy).map_err(ConnectError::Client)?;
    Ok(Cluster {
        client,
        server: server.trim_end_matches('/').to_owned(),
    })
}

/// The configuration, and the proxy of the kubeconfig.
async fn configuration(access: &Access) -> Result<(Config, Option<Intercept>), ConnectError> {
    let (kubeconfig, origin) = match (&access.kubeconfig, std::env::var("KUBECONFIG")) {
        (Some(file), _) => {
            let origin = file.display().to_string();
            (Kubeconfig::read_from(file), origin)
        }
        (None, Ok(files)) if !files.is_empty() => {
            let kubeconfig = Kubeconfig::from_env().map(Option::unwrap_or_default);
            (kubeconfig, files)
        }
        (None, _) if access.context.is_some() => {
            return Err(ConnectError::NoKubeconfig);
        }
        (None, _) => return Ok((service_account()?, None)),
    };
    match with_kubeconfig(kubeconfig, access).await {
        Ok(found) => Ok(found),
        Err(source) => Err(ConnectError::Kubeconfig { origin, source }),
    }
}

async fn with_kubeconfig(
    kubeconfig: Result<Kubeconfig, KubeconfigError>,
    access: &Access,
) -> Result<(Config, Option<Intercept>), InvalidKubeconfig> {
    let kubeconfig = kubeconfig?;
    let proxy = proxy_of_kubeconfig(&kubeconfig, access)?;
    let options = KubeConfigOptions {
        context: access.context.clone(),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options);
    Ok((config.await?, proxy))
}

fn service_account() -> Result<Config, ConnectError> {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        return Err(ConnectError::NoPod);
    }
    Config::incluster().map_err(ConnectError::ServiceAccount)
}

/// What the kubeconfig itself says; the library would mix it with the environment.
fn proxy_of_kubeconfig(
    kubeconfig: &Kubeconfig,
    access: &Access,
) -> Result<Option<Intercept>, InvalidKubeconfig> {
    let context = access.context.as_ref();
    let context = context.or(kubeconfig.current_context.as_ref());
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|named| Some(&named.name) == context);
    let cluster = context.and_then(|named| Some(&named.context.as_ref()?.cluster));
    let mut clusters = kubeconfig.clusters.iter();
    let cluster = clusters.find(|named| Some(&named.name) == cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.as_deref());
    let Some(proxy) = proxy.filter(|proxy| !proxy.is_empty()) else {
        return Ok(None);
    };
    let any = Uri::from_static("https://kubernetes");
    let intercept = Matcher::builder().all(proxy).build().intercept(&any);
    // It may hold a password.
    let shown = match proxy.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => proxy.to_owned(),
    };
    let intercept = intercept.ok_or(InvalidKubeconfig::ProxyUrl(shown))?;
    Ok(Some(intercept))
}

/// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say about a server.
fn proxy_of_environment(server: &Uri) -> Option<Intercept> {
    Matcher::from_env().intercept(server)
}

fn build(config: &Config, proxy: Option<Intercept>) -> Result<kube::Client, NoClient> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE / 3));
    connector.set_keepalive_retries(Some(3));
    connector.set_tcp_user_timeout(Some(UNANSWERED));
    let Some(proxy) = proxy else {
        return over(
            config,
            config.rustls_https_connector_with_connector(connector)?,
        );
    };
    let scheme = proxy.uri().scheme_str().unwrap_or("http").to_owned();
    match scheme.as_str() {
        "http" => {
            let tunnel = tunnel(&proxy, connector);
            over(
                config,
                config.rustls_https_connector_with_connector(tunnel)?,
            )
        }
        "https" => {
            let tunnel = tunnel(
                &proxy,
                config.rustls_https_connector_with_connector(connector)?,
            );
            over(
                config,
                config.rustls_https_connector_with_connector(tunnel)?,
            )
        }
        _ => Err(NoClient::Proxy(scheme)),
    }
}

fn tunnel<C>(proxy: &Intercept, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.uri().clone(), connector);
    match proxy.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    }
}

/// A client over these connections.
fn over<C>(config: &Config, connector: C) -> Result<kube::Client, NoClient>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build::<_, Body>(connector)
        .map_err(BoxError::from);
    let builder = ClientBuilder::new(http, config.default_namespace.clone())
        .with_layer(&config.extra_headers_layer()?);
    let base = config.base_uri_layer();
    Ok(match config.auth_layer()? {
        Some(authorize) => builder.with_layer(&authorize).with_layer(&base).build(),
        None => builder.with_layer(&base).build(),
    })
}
