//! Images of containers with one static program, built here and kept in the cache.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::carillon::binary;
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
    texts: &[include_str!("../../kubernetes/images/pause.rs"), END],
};

/// The application, under the name that the seed's `demo.yaml` asks for.
pub(crate) const WEB: Image = Image {
    name: "quay.io/wangzheng422/php:demo.02",
    source: "kubernetes/images/web.rs",
    texts: &[
        include_str!("../../kubernetes/images/web.rs"),
        include_str!("../web.rs"),
        END,
    ],
};

const END: &str = include_str!("../../kubernetes/images/end.rs");

/// How `make image` builds its image.
const CARILLON: &str = include_str!("../../../manifests/image/Containerfile");

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
        pack(directory, self.name)
    }
}

/// Makes the image of Carillon in a directory, as an OCI archive, around the [`binary`] under test:
/// the image that `make image` builds, but for the libraries that a dynamic program needs.
pub(crate) fn carillon(directory: &Path, name: &str) -> Result<PathBuf> {
    let context = directory.join("context");
    let libraries = context.join("libraries");
    fs::create_dir_all(&libraries)?;
    let binary = binary()?;
    let mut strip = command("strip");
    strip.arg("-o").arg(context.join("carillon"));
    output(strip.arg(&binary))?;
    // It fails for a static program, which needs none.
    let needed = output(command("ldd").arg(&binary)).unwrap_or_default();
    for library in needed
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('/'))
    {
        let copy = libraries.join(library);
        fs::create_dir_all(copy.parent().unwrap_or(&libraries))?;
        fs::copy(Path::new("/").join(library), copy)?;
    }
    let containerfile = format!("{CARILLON}COPY libraries /\n");
    fs::write(context.join("Containerfile"), containerfile)?;
    pack(directory, name)?;
    Ok(directory.join("image.tar"))
}

/// Makes an image of `context` in a directory, and of this the OCI archive `image.tar`.
fn pack(directory: &Path, name: &str) -> Result<()> {
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
    build.args(["build", "--quiet", "--isolation", "chroot", "--tag", name]);
    output(build.arg(directory.join("context")))?;
    let archive = directory.join("image.tar");
    let archive = format!("oci-archive:{}:{name}", archive.display());
    output(buildah().args(["push", "--quiet", name, &archive]))?;
    Ok(())
}
