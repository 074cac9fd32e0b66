//! The application: a web server that answers with its pod's name and address.

use std::net::TcpListener;

mod end;
#[path = "../../src/web.rs"]
mod web;

fn main() -> std::io::Result<()> {
    end::on_sigterm();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    web::serve(&TcpListener::bind("0.0.0.0:80")?, name.trim_end())
}
