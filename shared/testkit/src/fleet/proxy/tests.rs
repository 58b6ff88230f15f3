use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::fleet::until;

const SOON: Duration = Duration::from_secs(10);

/// A server that sends back what it gets, and says good-bye when no more comes; how many it has served.
async fn echo() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    tokio::spawn(accept(listener, move |mut stream: TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let (mut read, mut write) = stream.split();
            let copied = tokio::io::copy(&mut read, &mut write).await;
            if copied.is_ok() {
                drop(write.write_all(b"bye").await);
            }
        }
    }));
    (address, served)
}

async fn proxy() -> TcpProxy {
    TcpProxy::start(echo().await.0).await.unwrap()
}

async fn client(proxy: &TcpProxy) -> TcpStream {
    TcpStream::connect(proxy.address).await.unwrap()
}

async fn ask(client: &mut TcpStream, text: &str) -> String {
    client.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn both(way: Way) -> Faults {
    Faults { to_server: way, to_client: way, ..Faults::default() }
}

#[tokio::test]
async fn what_passes_is_whole_and_a_half_that_is_closed_is_passed_on() {
    let proxy = proxy().await;
    let mut client = client(&proxy).await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    client.shutdown().await.unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "bye");
    until(SOON, "its end", async || proxy.seen().open == 0).await;
    let seen = proxy.seen();
    assert_eq!((seen.accepted, seen.waiting_max, seen.abandoned), (1, 1, 0));
}

#[tokio::test]
async fn a_cut_closes_what_there_is_and_what_comes_until_it_is_healed() {
    let proxy = proxy().await;
    let mut old = client(&proxy).await;
    assert_eq!(ask(&mut old, "hello").await, "hello");
    proxy.cut();
    let mut byte = [0];
    assert_eq!(old.read(&mut byte).await.unwrap(), 0);
    assert_eq!(client(&proxy).await.read(&mut byte).await.unwrap(), 0);
    proxy.heal();
    assert_eq!(ask(&mut client(&proxy).await, "again").await, "again");
}

#[tokio::test]
async fn a_reset_is_one_for_who_is_there_and_for_who_comes() {
    let proxy = proxy().await;
    let mut old = client(&proxy).await;
    assert_eq!(ask(&mut old, "hello").await, "hello");
    proxy.set(Faults { connections: Connections::Reset, ..Faults::default() });
    let mut byte = [0];
    let kind = |read: std::io::Result<usize>| read.map_err(|error| error.kind());
    let reset = Err(std::io::ErrorKind::ConnectionReset);
    assert_eq!(kind(old.read(&mut byte).await), reset);
    assert_eq!(kind(client(&proxy).await.read(&mut byte).await), reset);
}

#[tokio::test]
async fn a_connection_that_is_not_answered_never_reaches_the_server() {
    let (server, served) = echo().await;
    let proxy = TcpProxy::start(server).await.unwrap();
    let mut old = client(&proxy).await;
    assert_eq!(ask(&mut old, "hello").await, "hello");
    proxy.set(Faults { connections: Connections::Unanswered, ..Faults::default() });
    let mut silent = client(&proxy).await;
    silent.write_all(b"is there anybody").await.unwrap();
    assert_eq!(ask(&mut old, "still").await, "still", "who was there before is served");
    until(SOON, "it to be taken", async || proxy.seen().accepted == 2).await;
    drop(silent);
    until(SOON, "it to be given up", async || proxy.seen().abandoned == 1).await;
    proxy.heal();
    assert_eq!(ask(&mut client(&proxy).await, "again").await, "again");
    assert_eq!(served.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_goes_into_a_hole_never_comes_and_the_connection_stays() {
    let proxy = proxy().await;
    for to_server in [true, false] {
        let mut client = client(&proxy).await;
        assert_eq!(ask(&mut client, "hello").await, "hello");
        let before = proxy.seen().swallowed;
        let hole = Way { is_hole: true, ..Way::default() };
        proxy.set(match to_server {
            true => Faults { to_server: hole, ..Faults::default() },
            false => Faults { to_client: hole, ..Faults::default() },
        });
        client.write_all(b"lost").await.unwrap();
        until(SOON, "it to vanish", async || proxy.seen().swallowed == before + 4).await;
        proxy.heal();
        assert_eq!(ask(&mut client, "kept").await, "kept");
    }
}

#[tokio::test]
async fn a_client_that_ends_within_a_hole_is_not_told_of_before_the_hole_is_gone() {
    let proxy = proxy().await;
    let mut client = client(&proxy).await;
    let hole = Way { is_hole: true, ..Way::default() };
    proxy.set(Faults { to_server: hole, ..Faults::default() });
    client.write_all(b"lost").await.unwrap();
    client.shutdown().await.unwrap();
    until(SOON, "it to be given up", async || proxy.seen().abandoned == 1).await;
    assert_eq!(proxy.seen().open, 1);
    proxy.heal();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "bye");
}

#[tokio::test]
async fn bytes_come_later_each_way_and_at_once_when_the_delay_is_over() {
    let proxy = proxy().await;
    let mut client = client(&proxy).await;
    let delay = Duration::from_millis(60);
    proxy.set(both(Way { delay, ..Way::default() }));
    let began = tokio::time::Instant::now();
    // Both are under way together.
    client.write_all(b"one ").await.unwrap();
    assert_eq!(ask(&mut client, "two ").await, "one ");
    assert!(began.elapsed() >= delay * 2);
    let hour = Duration::from_secs(3_600);
    proxy.set(Faults { to_client: Way { delay: hour, ..Way::default() }, ..Faults::default() });
    client.write_all(b"three").await.unwrap();
    proxy.heal();
    let mut rest = [0; 9];
    client.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"two three");
}

#[tokio::test]
async fn a_limited_rate_is_kept() {
    let proxy = proxy().await;
    let mut client = client(&proxy).await;
    let slow = Way { bytes_per_second: NonZeroU32::new(50_000), ..Way::default() };
    proxy.set(Faults { to_server: slow, ..Faults::default() });
    let began = tokio::time::Instant::now();
    let text = "x".repeat(10_000);
    assert_eq!(ask(&mut client, &text).await, text);
    assert!(began.elapsed() >= Duration::from_millis(180), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_ends_after_so_many_bytes_of_either_way() {
    let proxy = proxy().await;
    let cut = Way { cut_after: Some(5), ..Way::default() };
    for to_server in [true, false] {
        proxy.set(match to_server {
            true => Faults { to_server: cut, ..Faults::default() },
            false => Faults { to_client: cut, ..Faults::default() },
        });
        let mut client = client(&proxy).await;
        assert_eq!(ask(&mut client, "hello").await, "hello", "as many may pass");
        client.write_all(b"!").await.unwrap();
        let mut rest = Vec::new();
        assert_eq!(client.read_to_end(&mut rest).await.unwrap(), 0, "{rest:?}");
    }
}
