//! Functions of network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use num_bigint::BigInt;

use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text, whole};
use crate::expression::scope::Host;

const PREFIX: Parameter = parameter("prefix", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("cidrhost", &[PREFIX, parameter("hostnum", kinds::number)], results::text, host),
    function("cidrnetmask", &[PREFIX], results::text, |arguments, _| {
        let network = Network::parse(text(arguments, 0))?;
        Ok(Value::string(&network.address(network.mask()).to_string()))
    }),
    function(
        "cidrsubnet",
        &[PREFIX, parameter("newbits", kinds::number), parameter("netnum", kinds::number)],
        results::text,
        subnet,
    ),
    function("cidrsubnets", &[PREFIX], results::texts, subnets).variadic(parameter("newbits", kinds::number)),
];

/// A network: its address as a number, host bits zero.
#[derive(Clone, Copy)]
struct Network {
    address: u128,
    length: u32,
    /// 32 or 128.
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = || Fault::Argument(0, format!("invalid CIDR expression: invalid CIDR address: {text}"));
        let (address, length) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let is_plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = length.parse().map_err(|_| invalid())?;
        let (address, bits) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        if length > bits || !is_plain {
            return Err(invalid());
        }
        let mut network = Self { address, length, bits };
        network.address &= network.mask();
        Ok(network)
    }

    fn mask(self) -> u128 {
        let all = if self.bits == 128 { u128::MAX } else { (1 << self.bits) - 1 };
        let host_bits = self.bits - self.length;
        if host_bits == 128 { 0 } else { all & !((1 << host_bits) - 1) }
    }

    fn address(self, number: u128) -> IpAddr {
        if self.bits == 32 {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)))
        } else {
            IpAddr::V6(Ipv6Addr::from(number))
        }
    }

    fn text(self) -> String {
        format!("{}/{}", self.address(self.address), self.length)
    }
}

fn host(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let number = match &arguments[1] {
        Value::Number(number) => number.to_integer(),
        _ => None,
    };
    let number = number.ok_or_else(|| Fault::Argument(1, "a whole number is required".to_owned()))?;
    let size = BigInt::from(1) << (network.bits - network.length);
    let offset = if number < BigInt::ZERO { &size + &number } else { number.clone() };
    if offset < BigInt::ZERO || offset >= size {
        return Err(format!("prefix of {} does not accommodate a host numbered {number}", network.length).into());
    }
    let offset = u128::try_from(offset).map_err(|_| "the address is out of range")?;
    Ok(Value::string(&network.address(network.address | offset).to_string()))
}

fn subnet(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let more = whole(arguments, 1)?;
    let more =
        u32::try_from(more).map_err(|_| Fault::Argument(1, "must extend prefix by at least zero bits".to_owned()))?;
    if more > 32 {
        return Err("may not extend prefix by more than 32 bits".into());
    }
    let length = network.length + more;
    if length > network.bits {
        return Err(format!("insufficient address space to extend prefix of {} by {more}", network.length).into());
    }
    let number = match &arguments[2] {
        Value::Number(number) => number.to_integer(),
        _ => None,
    };
    let number = number.ok_or_else(|| Fault::Argument(2, "a whole number is required".to_owned()))?;
    if number < BigInt::ZERO || number >= BigInt::from(1) << more {
        return Err(format!("prefix extension of {more} does not accommodate a subnet numbered {number}").into());
    }
    let number = u128::try_from(number).map_err(|_| "the number is out of range")?;
    let shift = network.bits - length;
    let address = network.address | if shift >= 128 { 0 } else { number << shift };
    Ok(Value::string(&Network { address, length, ..network }.text()))
}

fn subnets(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let mut at = Some(network.address);
    let mut found = Vec::new();
    for index in 1..arguments.len() {
        let more = whole(arguments, index)?;
        let more = u32::try_from(more)
            .ok()
            .filter(|more| *more >= 1)
            .ok_or_else(|| Fault::Argument(index, "must extend prefix by at least one bit".to_owned()))?;
        if more > 32 {
            return Err(Fault::Argument(index, "may not extend prefix by more than 32 bits".to_owned()));
        }
        let length = network.length + more;
        if length > network.bits {
            return Err(Fault::Argument(
                index,
                format!("would extend prefix to {length} bits, which is too long for the address"),
            ));
        }
        let size = 1_u128 << (network.bits - length).min(127);
        let full =
            || Fault::Argument(index, "not enough remaining address space for a subnet of this prefix".to_owned());
        let start = at.ok_or_else(full)?.checked_next_multiple_of(size).ok_or_else(full)?;
        let last = start.checked_add(size - 1).ok_or_else(full)?;
        if last & network.mask() != network.address {
            return Err(full());
        }
        found.push(Value::string(&Network { address: start, length, ..network }.text()));
        at = last.checked_add(1);
    }
    Ok(Value::list(Type::String, found))
}
