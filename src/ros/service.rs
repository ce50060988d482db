//! Services that answer from what is at hand.

use futures::StreamExt;
use r2r::{Node, QosProfile, ServiceRequest, WrappedServiceTypeSupport};
use std::pin::Pin;
use std::time::Duration;

/// Serves until the control thread ends.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// So often an answer is sent again, each after so long; a try waits a tenth of a second by itself.
const TRIES: u32 = 25;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Offers a service that answers each request at once.
pub(super) fn serve<S>(
    node: &mut Node,
    name: &'static str,
    answer: impl Fn(&S::Request) -> S::Response + Send + 'static,
) -> r2r::Result<Task>
where
    S: WrappedServiceTypeSupport + 'static,
    S::Response: Send,
{
    let mut requests = node.create_service::<S>(name, QosProfile::services_default())?;
    Ok(Box::pin(async move {
        while let Some(request) = requests.next().await {
            let response = answer(&request.message);
            respond(request, response, name);
        }
    }))
}

/// Whoever asked may be gone by now, which is no error; or be so new that this side has not found its ear yet: the
/// middleware then gives up after a tenth of a second (`RCL_RET_TIMEOUT`), and the answer is sent again from aside.
pub(super) fn respond<S>(request: ServiceRequest<S>, response: S::Response, name: &'static str)
where
    S: WrappedServiceTypeSupport + 'static,
    S::Response: Send,
{
    let send = move || request.clone().respond(response.clone());
    match send() {
        Ok(()) => (),
        Err(r2r::Error::RCL_RET_TIMEOUT) => drop(tokio::spawn(insist(send, name))),
        Err(error) => tracing::warn!("{name} was not answered: {error}"),
    }
}

/// Gives how often it was sent.
async fn insist(send: impl Fn() -> r2r::Result<()>, name: &str) -> u32 {
    for tries in 1..=TRIES {
        tokio::time::sleep(BETWEEN_TRIES).await;
        match send() {
            Err(r2r::Error::RCL_RET_TIMEOUT) => (),
            Ok(()) => return tries,
            Err(error) => {
                tracing::warn!("{name} was not answered: {error}");
                return tries;
            }
        }
    }
    tracing::warn!("{name} was not answered: whoever asked cannot be reached");
    TRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use r2r::Error;
    use std::cell::Cell;

    #[tokio::test]
    async fn an_answer_is_sent_until_it_is_heard_or_cannot_be() {
        let sent_until = async |end: fn() -> r2r::Result<()>| {
            let left = Cell::new(3);
            let send = || {
                left.set(left.get() - 1);
                if left.get() > 0 { Err(Error::RCL_RET_TIMEOUT) } else { end() }
            };
            insist(send, "~/test").await
        };
        assert_eq!(sent_until(|| Ok(())).await, 3);
        assert_eq!(sent_until(|| Err(Error::RCL_RET_SERVICE_INVALID)).await, 3);
        assert_eq!(sent_until(|| Err(Error::RCL_RET_TIMEOUT)).await, TRIES);
    }
}
