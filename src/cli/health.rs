//! `millstream health`: asks a running millstream how it is, for images without shell or curl.

use super::settings::SettingsArgs;
use super::{Exit, terminal};
use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest wait for a connection, and again for each part of the answer.
const WAIT: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to ask; without it /livez at the address `listen` of the settings.
    #[arg(long, conflicts_with = "ready")]
    url: Option<String>,
    /// Ask whether it is ready, not only whether it lives.
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Prints the answer. Ends with 0 if it is 200, else with 1.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let target = match &args.url {
        Some(url) => Target::parse(url)?,
        None => match args.settings.load() {
            Ok(settings) => Target::of(settings.listen, args.ready),
            Err(exit) => return Ok(exit),
        },
    };
    let answer = target.ask()?;
    terminal::answer(answer.body.trim_end())?;
    Ok(if answer.status == 200 { Exit::Ok } else { Exit::Failure })
}

#[derive(Debug, PartialEq, Eq)]
struct Target {
    authority: String,
    path: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: String,
}

impl Target {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").context("only http:// can be asked")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "livez"));
        let port = if authority.contains(':') { "" } else { ":80" };
        Ok(Self { authority: format!("{authority}{port}"), path: format!("/{path}") })
    }

    /// The address of this process' own port: whoever listens everywhere is asked here.
    fn of(mut listen: SocketAddr, ready: bool) -> Self {
        if listen.ip().is_unspecified() {
            listen.set_ip(match listen.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let path = if ready { "/readyz" } else { "/livez" };
        Self { authority: listen.to_string(), path: path.to_owned() }
    }

    fn ask(&self) -> anyhow::Result<Answer> {
        let Self { authority, path } = self;
        let unreachable = || format!("{authority} does not answer");
        let mut addresses = authority.to_socket_addrs().with_context(unreachable)?;
        let address = addresses.next().with_context(unreachable)?;
        let mut stream = TcpStream::connect_timeout(&address, WAIT).with_context(unreachable)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).with_context(unreachable)?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).with_context(unreachable)?;
        read(&String::from_utf8_lossy(&bytes))
    }
}

fn read(answer: &str) -> anyhow::Result<Answer> {
    let mut words = answer.split_ascii_whitespace();
    let protocol = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse().ok());
    let Some(status) = status.filter(|_| protocol.starts_with("HTTP/")) else {
        bail!("the answer is not HTTP");
    };
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn asks_the_loopback_of_a_port_that_listens_everywhere() {
        let target = |listen: &str, ready| Target::of(listen.parse().unwrap(), ready);
        assert_eq!(target("0.0.0.0:9464", false).authority, "127.0.0.1:9464");
        assert_eq!(target("[::]:9464", true).authority, "[::1]:9464");
        assert_eq!(target("10.0.0.7:1", true).path, "/readyz");
        let parsed = Target::parse("http://host:81/readyz").unwrap();
        assert_eq!((parsed.authority.as_str(), parsed.path.as_str()), ("host:81", "/readyz"));
        assert_eq!(Target::parse("http://host").unwrap().authority, "host:80");
        assert!(Target::parse("https://host").is_err());
    }

    #[test]
    fn reads_status_and_body_from_a_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::of(listener.local_addr().unwrap(), true);
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 503 No\r\nA: b\r\n\r\n{}\n").unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        assert_eq!(target.ask().unwrap(), Answer { status: 503, body: "{}\n".to_owned() });
        assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));
        assert!(read("SSH-2.0").is_err());
        assert!(target.ask().unwrap_err().to_string().contains("does not answer"));
    }
}
