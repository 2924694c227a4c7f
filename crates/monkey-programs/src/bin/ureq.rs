//! A hundred requests by the blocking crate `ureq`, each answered after 50 ms: over http, and over https with rustls.
//! Clients and server together have one OS thread.

use std::error::Error;
use std::time::Duration;

use monkey_programs::AtOnce;
use monkey_programs::servers::Pages;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const EACH: Duration = Duration::from_millis(50);

/// A client that trusts the server.
fn agent(pages: &Pages) -> Agent {
    let mut tls = TlsConfig::builder();
    if let Some(certificate) = pages.certificate() {
        tls = tls.root_certs(RootCerts::new_with_certs(&[Certificate::from_der(certificate).to_owned()]));
    }
    Agent::config_builder().tls_config(tls.build()).build().into()
}

fn fetch_all(pages: &Pages) -> AtOnce {
    let (url, agent) = (pages.url(), agent(pages));
    let fetch = move |agent: &mut Agent| {
        let page = agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_to_string());
        assert_eq!(page.expect("the server answers"), Pages::ANSWER);
    };
    AtOnce::run(100, move |_| agent.clone(), fetch)
}

fn main() -> Result<(), Box<dyn Error>> {
    greenlet_monkey::patch_all()?;
    println!("ureq: http: pages after 50 ms: {}", fetch_all(&Pages::http(EACH)?));
    println!("ureq: https: pages after 50 ms: {}", fetch_all(&Pages::https(EACH)?));
    Ok(())
}
