//! A packet socket on one interface.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, SockAddrStorage, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::filter::Filter;

/// Of the queue of received frames, as far as the kernel allows: a burst must not push out a
/// question.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How many frames wait at most for the interface to take more.
const MAX_BACKLOG: usize = 16 * 1024;

type Ready = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Sends and receives whole Ethernet frames of one type on one interface.
pub(super) struct PacketSocket {
    fd: Arc<AsyncFd<Socket>>,
    ready: Ready,
    /// Frames that the kernel did not take yet.
    backlog: VecDeque<Box<[u8]>>,
    /// It took none of them because the interface has no room, of whose end it gives no notice.
    is_full: bool,
}

impl PacketSocket {
    /// Opens one; nothing that the filter does not let through ever reaches it.
    pub(super) fn open(interface: u32, ethertype: u16, filter: &Filter) -> io::Result<Self> {
        // Protocol 0: until it is bound, it gets no frames; otherwise it would get those of all
        // interfaces.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
        attach(&socket, filter)?;
        // Smaller is worse, but works.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&link_address(interface, ethertype)?)?;
        // The interface is down: the kernel binds all the same, and says so only here.
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::ERROR;
        #[expect(
            unsafe_code,
            reason = "socket2's sockets are safe here, but not marked so"
        )]
        // SAFETY: a `Socket` owns its descriptor, which is the same and open until it is dropped.
        let fd = unsafe { AsyncFd::register_with_interest(socket, interest) }?;
        let fd = Arc::new(fd);
        Ok(Self {
            ready: ready(fd.clone(), false),
            fd,
            backlog: VecDeque::new(),
            is_full: false,
        })
    }

    /// Lets other frames through from now on.
    pub(super) fn filter(&self, filter: &Filter) -> io::Result<()> {
        attach(self.fd.get_ref(), filter)
    }

    /// Ready when something was received, when the backlog can be written, or with an error.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.ready.as_mut().poll(cx);
        if polled.is_ready() {
            self.wait();
        }
        polled
    }

    /// The length of the next frame, which is put in `buffer`; `None` if there is none.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let receive = |mut socket: &Socket| socket.read(buffer);
        match self.fd.try_io(Interest::READABLE, receive) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a frame, or keeps it until the kernel takes it.
    pub(super) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.backlog.is_empty() {
            match self.fd.get_ref().send(frame) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.is_full = true,
                sent => return sent.map(|_| ()),
            }
        }
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back(frame.into());
        }
        if self.backlog.len() == 1 {
            self.wait();
        }
        Ok(())
    }

    /// Writes what was kept, as far as the kernel takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.backlog.is_empty() {
            return Ok(());
        }
        self.is_full = false;
        while let Some(frame) = self.backlog.front() {
            match self
                .fd
                .try_io(Interest::WRITABLE, |socket| socket.send(frame))
            {
                Ok(_) => self.backlog.pop_front(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.is_full = true;
                    break;
                }
                Err(error) => return Err(error),
            };
        }
        self.wait();
        Ok(())
    }

    /// How much has not left the interface: octets in the kernel, and frames here.
    pub(super) fn queued(&self) -> io::Result<usize> {
        Ok(outgoing(self.fd.get_ref())? + self.backlog.len())
    }

    /// Sends nothing more, and hears nothing: it is only looked at what [`Self::queued`] says.
    pub(super) fn retire(&mut self) {
        self.backlog.clear();
        // What would come in does so to nobody's use.
        let _ = self.filter(&Filter::nothing());
    }

    fn wait(&mut self) {
        let writing = !self.backlog.is_empty() && !self.is_full;
        self.ready = ready(self.fd.clone(), writing);
    }
}

fn ready(fd: Arc<AsyncFd<Socket>>, writing: bool) -> Ready {
    // Without ERROR, a link that goes down is told only with the first frame after it came up.
    let mut interest = Interest::READABLE | Interest::ERROR;
    if writing {
        interest |= Interest::WRITABLE;
    }
    Box::pin(async move {
        let mut guard = fd.ready(interest).await?;
        if guard.ready().is_error() {
            guard.clear_ready_matching(tokio::io::Ready::ERROR);
            return fd.get_ref().take_error()?.map_or(Ok(()), Err);
        }
        Ok(())
    })
}

/// How many octets the kernel has of a socket that have not left the interface, as it counts them.
fn outgoing(socket: &Socket) -> io::Result<usize> {
    let mut octets: libc::c_int = 0;
    #[expect(unsafe_code, reason = "no crate has this request")]
    // SAFETY: `TIOCOUTQ` (of a socket: `SIOCOUTQ`, the same number) writes one `int`, to which the
    // pointer points, and the descriptor is open as long as `socket` lives.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(octets).unwrap_or(0))
}

fn attach(socket: &Socket, filter: &Filter) -> io::Result<()> {
    let program: Vec<SockFilter> = filter
        .program()
        .map(|one| SockFilter::new(one.code, one.if_true, one.if_false, one.operand))
        .collect();
    socket.attach_filter(&program)
}

/// The address of all frames of one type on one interface.
fn link_address(interface: u32, ethertype: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(interface).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())
        .map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let family = libc::sa_family_t::try_from(libc::AF_PACKET)
        .map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let mut storage = SockAddrStorage::zeroed();
    #[expect(unsafe_code, reason = "no crate makes such an address")]
    // SAFETY: `sockaddr_ll` is an address of the family that is set here, all its bit patterns are
    // valid, and `length` is its length.
    let address = unsafe {
        let link = storage.view_as::<libc::sockaddr_ll>();
        link.sll_family = family;
        link.sll_protocol = ethertype.to_be();
        link.sll_ifindex = index;
        SockAddr::new(storage, length)
    };
    Ok(address)
}

/// What went wrong, and what would help.
pub(super) fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => format!(
            "cannot open a packet socket: {error}; give the process the capability CAP_NET_RAW"
        ),
        Some(libc::EAFNOSUPPORT) => {
            format!("cannot open a packet socket: {error}; load the kernel module af_packet")
        }
        Some(libc::ENETDOWN) => "the interface is down".to_owned(),
        Some(libc::ENODEV | libc::ENXIO) => "the interface is gone".to_owned(),
        _ => format!("the packet socket failed: {error}"),
    }
}
