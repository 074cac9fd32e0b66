//! The flags of `carillon migrate`.

use std::path::PathBuf;

use clap::Args;

use super::ConfigArgs;

/// See the module's documentation.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        kubectl get cm -n metallb-system config -o yaml | carillon migrate - > resources.yaml\n  \
        carillon migrate config.yaml | kubectl apply --dry-run=server -f -")]
pub(crate) struct MigrateArgs {
    /// A file with the ConfigMap, or with what is below its key `config`; `-` is the standard input.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}
