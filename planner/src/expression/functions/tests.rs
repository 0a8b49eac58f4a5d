use std::cell::RefCell;

use super::*;
use crate::blocks::Ground;

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, CallError> {
    let ground = Ground::default();
    let usage = RefCell::default();
    let random = || [7; 16];
    let host = ground.host(&random, &usage);
    find(name).unwrap_or_else(|| panic!("no function {name}")).call(arguments, &host)
}

#[test]
fn all_functions_of_packer_are_there() {
    // With the evaluator's own four: 103, and `env`.
    assert_eq!(names().count(), 100);
}

#[test]
fn missing_null_and_wrong_arguments_are_named() {
    assert_eq!(call("upper", &[]), Err(CallError::TooFew { parameter: "str" }));
    assert_eq!(call("upper", &[Value::string("a"), Value::string("b")]), Err(CallError::TooMany { limit: 1 }));
    let null = call("upper", &[Value::Null(Type::Dynamic)]);
    assert_eq!(
        null,
        Err(CallError::Argument { index: 0, parameter: "str", message: "argument must not be null".to_owned() })
    );
    assert_eq!(call("upper", &[Value::number(5_i64)]), Ok(Value::string("5")));
    assert_eq!(call("upper", &[Value::Unknown(Type::String)]), Ok(Value::Unknown(Type::String)));
}
