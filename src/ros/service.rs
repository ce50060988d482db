//! Services that answer from what is at hand.

use futures::StreamExt;
use r2r::{Node, QosProfile, ServiceRequest, WrappedServiceTypeSupport};
use std::pin::Pin;

/// Serves until the control thread ends.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Offers a service that answers each request at once.
pub(super) fn serve<S>(
    node: &mut Node,
    name: &str,
    answer: impl Fn(&S::Request) -> S::Response + Send + 'static,
) -> r2r::Result<Task>
where
    S: WrappedServiceTypeSupport + 'static,
{
    let mut requests = node.create_service::<S>(name, QosProfile::services_default())?;
    let name = name.to_owned();
    Ok(Box::pin(async move {
        while let Some(request) = requests.next().await {
            let response = answer(&request.message);
            respond(request, response, &name);
        }
    }))
}

/// Whoever asked may be gone by now.
pub(super) fn respond<S>(request: ServiceRequest<S>, response: S::Response, name: &str)
where
    S: WrappedServiceTypeSupport + 'static,
{
    if let Err(error) = request.respond(response) {
        tracing::warn!("{name} was not answered: {error}");
    }
}
