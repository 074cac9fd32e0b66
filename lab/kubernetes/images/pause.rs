//! What holds a pod's namespaces: does nothing until it is asked to end.

mod end;

fn main() {
    end::on_sigterm();
    loop {
        std::thread::park();
    }
}
