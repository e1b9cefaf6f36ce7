//! Requests and answers.

use liqheat_market::UnixMs;

use crate::venues::{Contract, FrameError, Page, Request, Want};

pub(super) fn request(contract: &Contract, want: &Want) -> Option<Request> {
    let _ = (contract, want);
    None
}

pub(super) fn answer(
    contract: &Contract,
    want: &Want,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    let _ = (contract, want, body, received);
    Ok(Page::default())
}
