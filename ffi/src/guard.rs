//! The border itself: no panic gets through, every result becomes a status.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::handle::hand_over;
use crate::status::{ANYCLAUDE_OK, Status};

/// Runs the body of an export that can fail, and tells C about the failure if it wants to know.
pub(crate) fn guard(
    error: Option<&mut MaybeUninit<Option<Box<Error>>>>,
    body: impl FnOnce() -> Result<(), Error>,
) -> Status {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Error::panic(&*payload)));
    let Err(failure) = result else { return ANYCLAUDE_OK };
    let code = failure.code;
    if let Some(place) = error {
        hand_over(place, failure);
    }
    code
}

/// Frees what C gives back. Nobody is left to tell if that fails.
pub(crate) fn free<T>(object: Option<Box<T>>) {
    _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ANYCLAUDE_PANIC;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(guard(Some(&mut MaybeUninit::uninit()), || panic!("number {}", 7)), ANYCLAUDE_PANIC);
        assert_eq!(guard(None, || panic!("unheard")), ANYCLAUDE_PANIC);
        assert_eq!(guard(None, || Ok(())), ANYCLAUDE_OK);
    }

    #[test]
    fn a_panic_while_freeing_stays_inside() {
        struct Faulty;
        impl Drop for Faulty {
            fn drop(&mut self) {
                panic!("while freeing");
            }
        }
        free(Some(Box::new(Faulty)));
        free::<Faulty>(None);
    }
}
