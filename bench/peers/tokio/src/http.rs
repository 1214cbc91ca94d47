//! HTTP/1.1 plaintext with keep-alive and pipelining, answering as `docs/examples/httpd` does, and with its limits
//! of time: on a client that sends nothing, and on one that takes nothing.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const BUFFER: usize = 16384;
const MAX_HEADERS: usize = 64;
const IDLE_LIMIT: Duration = Duration::from_secs(60);
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// A request, as far as it matters here.
struct Request {
    size: usize,
    found: bool,
    close: bool,
}

/// The request at the start of `text`; None if it has not come whole.
fn parse(text: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(size) = request.parse(text)? else {
        return Ok(None);
    };

    Ok(Some(Request {
        size,
        found: request.method == Some("GET") && request.path == Some("/plaintext"),
        close: request.headers.iter().any(|h| {
            h.name.eq_ignore_ascii_case("connection") && h.value.eq_ignore_ascii_case(b"close")
        }),
    }))
}

/// Appends the Date line, formatted once a second.
fn date(out: &mut Vec<u8>) {
    thread_local! {
        static CACHE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());

    CACHE.with_borrow_mut(|(cached, line)| {
        if *cached != second || line.is_empty() {
            *cached = second;
            *line = format!("Date: {}\r\n", httpdate::fmt_http_date(now));
        }
        out.extend_from_slice(line.as_bytes());
    });
}

fn answer(out: &mut Vec<u8>, status: &str, body: &str) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\r\nServer: twin\r\n");
    date(out);
    out.extend_from_slice(b"Content-Type: text/plain\r\nContent-Length: ");
    out.extend_from_slice(body.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body.as_bytes());
}

async fn connection(mut stream: TcpStream) -> io::Result<()> {
    let mut text = vec![0; BUFFER];
    let mut out = Vec::with_capacity(BUFFER);
    let mut filled = 0;

    loop {
        let n = timeout(IDLE_LIMIT, stream.read(&mut text[filled..])).await??;
        if n == 0 {
            return Ok(()); // closed, or a request larger than the buffer
        }
        filled += n;

        let mut taken = 0;
        let mut close = false;
        out.clear();
        while !close && taken < filled {
            match parse(&text[taken..filled]) {
                Ok(Some(request)) => {
                    if request.found {
                        answer(&mut out, "200 OK", "Hello, World!");
                    } else {
                        answer(&mut out, "404 Not Found", "");
                    }
                    taken += request.size;
                    close = request.close;
                }
                Ok(None) => break,
                Err(_) => {
                    answer(&mut out, "400 Bad Request", "");
                    close = true;
                }
            }
        }
        text.copy_within(taken..filled, 0);
        filled -= taken;
        if !out.is_empty() {
            timeout(WRITE_LIMIT, stream.write_all(&out)).await??;
        }
        if close {
            return Ok(());
        }
    }
}

pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}
