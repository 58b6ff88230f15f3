//! Maintenance: while an operator has closed the gateway, every call of a client is told to come
//! again, in the shape of its own document. What suppliers and funding sources tell is still stored:
//! it is about money that has moved.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::Gateway;
use crate::shape::Shape;

/// Lets a request through, unless the gateway is closed to it.
pub(crate) async fn closed(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if is_open(path) || !gateway.directory.current().maintenance {
        return next.run(request).await;
    }
    Shape::of(path).closed()
}

/// What no client asks. A card gateway asks about sales that have begun already.
pub(crate) fn is_open(path: &str) -> bool {
    let is_sale = path.starts_with("/sale/") && path != "/sale/initiate-sale";
    path.starts_with("/callbacks/") || path == "/openapi.json" || is_sale
}
