//! Who a client of the API server says it is, and whom it trusts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

/// What a kubeconfig file says. The fields are open, for tests with a wrong one.
#[derive(Clone, Debug)]
pub struct Access {
    /// The API server, `https://192.0.2.1:6443`.
    pub server: String,
    /// The file with the certificate that the API server's own must lead to.
    pub authority: PathBuf,
    /// The bearer token.
    pub token: String,
}

impl Access {
    /// Writes it as a kubeconfig file.
    pub fn write(&self, file: &Path) -> Result<()> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {
                "server": self.server,
                "certificate-authority": self.authority,
            }}],
            "users": [{"name": "user", "user": {"token": self.token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        });
        fs::write(file, format!("{config:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
