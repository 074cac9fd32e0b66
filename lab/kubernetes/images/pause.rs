//! What holds a pod's namespaces: does nothing, for ever. containerd ends it with SIGKILL.

fn main() {
    loop {
        std::thread::park();
    }
}
