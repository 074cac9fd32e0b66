//! Images of containers with one static program, built here and kept in the cache.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::kubernetes::programs;
use crate::process::{command, output};

/// An image with one program.
pub(crate) struct Image {
    /// The name that pods ask for.
    pub(crate) name: &'static str,
    /// The program's source, below the directory of this crate.
    source: &'static str,
    /// The text of all of its sources.
    texts: &'static [&'static str],
}

/// What holds a pod's namespaces.
pub(crate) const PAUSE: Image = Image {
    name: "localhost/pause:1",
    source: "kubernetes/images/pause.rs",
    texts: &[include_str!("../../kubernetes/images/pause.rs")],
};

/// The application, under the name that the seed's `demo.yaml` asks for.
pub(crate) const WEB: Image = Image {
    name: "quay.io/wangzheng422/php:demo.02",
    source: "kubernetes/images/web.rs",
    texts: &[
        include_str!("../../kubernetes/images/web.rs"),
        include_str!("../web.rs"),
    ],
};

const CONTAINERFILE: &str = "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\n";

impl Image {
    /// The image as an OCI archive; builds it unless there is one of the same sources.
    pub(crate) fn archive(&self) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        (self.name, self.texts, CONTAINERFILE).hash(&mut hasher);
        let images = programs::cache()?.join("images");
        let archive = images.join(format!("{:016x}.tar", hasher.finish()));
        if !archive.is_file() {
            fs::create_dir_all(&images)
                .with_context(|| format!("cannot make {}", images.display()))?;
            let build = tempfile::tempdir_in(&images)?;
            self.build(build.path())?;
            fs::rename(build.path().join("image.tar"), &archive)?;
        }
        Ok(archive)
    }

    fn build(&self, directory: &Path) -> Result<()> {
        let context = directory.join("context");
        fs::create_dir(&context)?;
        fs::write(context.join("Containerfile"), CONTAINERFILE)?;
        let mut rustc = command("rustc");
        rustc.args(["--edition", "2024", "-O", "-C", "strip=symbols"]);
        rustc.args(["-C", "target-feature=+crt-static", "-o"]);
        rustc.arg(context.join("program"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.source);
        output(rustc.arg(source))?;

        // buildah makes this directory, and would do so in /etc.
        let config = directory.join("containers.conf");
        let network = directory.join("network");
        let network = format!("network_config_dir = \"{}\"", network.display());
        fs::write(&config, format!("[network]\n{network}\n"))?;
        let buildah = || {
            let mut buildah = command("buildah");
            buildah.env("CONTAINERS_CONF", &config);
            buildah.args(["--storage-driver", "vfs", "--root"]);
            buildah.arg(directory.join("storage")).arg("--runroot");
            buildah.arg(directory.join("run"));
            buildah
        };
        let mut build = buildah();
        build.args([
            "build",
            "--quiet",
            "--isolation",
            "chroot",
            "--tag",
            self.name,
        ]);
        output(build.arg(&context))?;
        let archive = directory.join("image.tar");
        let archive = format!("oci-archive:{}:{}", archive.display(), self.name);
        output(buildah().args(["push", "--quiet", self.name, &archive]))?;
        Ok(())
    }
}
