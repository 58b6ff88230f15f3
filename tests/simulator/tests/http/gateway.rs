//! A gateway that keeps what buyers' parties tell it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::any;

use crate::world::until;

/// What one call told: its method, path, query and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: String,
}

/// Answers with the statuses in order, then with 200, and keeps what was answered 200.
pub(crate) struct Gateway {
    pub(crate) url: String,
    kept: Kept,
}

#[derive(Clone, Default)]
struct Kept {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Gateway {
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let kept = Kept::default();
        let answers = answers.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        kept.answers.lock().unwrap().extend(answers);
        let router = axum::Router::new().fallback(any(keep)).with_state(kept.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, kept }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.kept.told.lock().unwrap().clone()
    }

    /// Waits for so many.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Told> {
        until(|| self.told().len() >= count).await;
        self.told()
    }
}

async fn keep(State(kept): State<Kept>, request: Request<axum::body::Body>) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 100_000).await.unwrap();
    let told = Told {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let answer = kept.answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
    if answer == StatusCode::OK {
        kept.told.lock().unwrap().push(told);
    }
    answer
}
