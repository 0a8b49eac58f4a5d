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
        Ok(Value::string(&network.shown(network.mask())))
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
///
/// An address of version 4 within one of version 6 has 128 bits, but is shown as one of version 4. Packer computes
/// with it as with one of version 6 here and as with one of version 4 there, and so does this.
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

    fn shown(self, number: u128) -> String {
        if self.bits == 32 {
            return Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).to_string();
        }
        let address = Ipv6Addr::from(number);
        address.to_ipv4_mapped().map_or_else(|| address.to_string(), |address| address.to_string())
    }

    /// Tells whether it is shown as one of version 4, whatever its bits.
    fn is_mapped(self) -> bool {
        self.bits == 128 && Ipv6Addr::from(self.address).to_ipv4_mapped().is_some()
    }

    /// Writes a number so that it ends with that bit of the address.
    fn with(self, number: &BigInt, last_bit: u32) -> Result<u128, Fault> {
        let shift = self.bits.checked_sub(last_bit).ok_or("the number is out of range")?;
        let number = u128::try_from(number << shift).map_err(|_| "the number is out of range")?;
        let all = if self.bits == 128 { u128::MAX } else { (1 << self.bits) - 1 };
        if number > all { Err("the number is out of range".into()) } else { Ok(self.address | number) }
    }
}

fn host(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let number = BigInt::from(whole(arguments, 1)?);
    let size = BigInt::from(1) << (network.bits - network.length);
    let offset = if number < BigInt::ZERO { &size + &number } else { number.clone() };
    if offset < BigInt::ZERO || offset >= size {
        return Err(format!("prefix of {} does not accommodate a host numbered {number}", network.length).into());
    }
    let last_bit = if network.is_mapped() { 32 } else { network.bits };
    Ok(Value::string(&network.shown(network.with(&offset, last_bit)?)))
}

fn subnet(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let (more, number) = (whole(arguments, 1)?, whole(arguments, 2)?);
    if more > 32 {
        return Err("may not extend prefix by more than 32 bits".into());
    }
    if number < 0 {
        return Err("subnet number must not be negative".into());
    }
    let length = i64::from(network.length).saturating_add(more);
    if length > i64::from(network.bits) {
        return Err(format!("insufficient address space to extend prefix of {} by {more}", network.length).into());
    }
    // A prefix can be made shorter too; then there is no limit to the number but the address itself.
    if more >= 0 && number >= 1 << more {
        return Err(format!("prefix extension of {more} does not accommodate a subnet numbered {number}").into());
    }
    let Ok(length) = u32::try_from(length) else {
        return Err("the prefix would be shorter than nothing".into());
    };
    let address = network.with(&BigInt::from(number), length)?;
    let is_mapped = network.bits == 128 && Ipv6Addr::from(address).to_ipv4_mapped().is_some();
    let shown_length = if is_mapped { length.saturating_sub(96) } else { length };
    Ok(Value::string(&format!("{}/{shown_length}", network.shown(address))))
}

fn subnets(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let network = Network::parse(text(arguments, 0))?;
    let mut at = Some(network.address);
    let mut found = Vec::new();
    for index in 1..arguments.len() {
        let fault = |what: &str| Fault::Argument(index, what.to_owned());
        let more = whole(arguments, index)?;
        let more = u32::try_from(more)
            .ok()
            .filter(|more| *more >= 1)
            .ok_or_else(|| fault("must extend prefix by at least one bit"))?;
        if more > 32 {
            return Err(fault("may not extend prefix by more than 32 bits"));
        }
        let length = network.length + more;
        if length > network.bits {
            return Err(fault(&format!("would extend prefix to {length} bits, which is too long for the address")));
        }
        let full = || fault("not enough remaining address space for a subnet of this prefix");
        // Packer looks for what follows the network before this one, and there is none before the first of all.
        if network.address == 0 || network.is_mapped() {
            return Err(full());
        }
        let size = 1_u128 << (network.bits - length).min(127);
        let start = at.ok_or_else(full)?.checked_next_multiple_of(size).ok_or_else(full)?;
        let last = start.checked_add(size - 1).ok_or_else(full)?;
        if last & network.mask() != network.address {
            return Err(full());
        }
        found.push(Value::string(&format!("{}/{length}", network.shown(start))));
        at = last.checked_add(1);
    }
    Ok(Value::list(Type::String, found))
}

#[cfg(test)]
mod tests {
    use crate::expression::functions::tests::call;
    use crate::expression::value::Value;

    fn text(name: &str, prefix: &str, numbers: &[i64]) -> Option<String> {
        let arguments: Vec<Value> =
            std::iter::once(Value::string(prefix)).chain(numbers.iter().map(|number| Value::number(*number))).collect();
        call(name, &arguments).ok().and_then(|value| value.as_text().map(str::to_owned))
    }

    #[test]
    fn addresses_of_version_4_inside_version_6_are_shown_short() {
        assert_eq!(text("cidrhost", "::ffff:10.0.0.0/104", &[0]).as_deref(), Some("10.0.0.0"));
        assert_eq!(text("cidrhost", "::ffff:10.0.0.0/104", &[7]).as_deref(), Some("0:7::ffff:a00:0"));
        assert_eq!(text("cidrsubnet", "::ffff:10.0.0.0/104", &[-1, 63]).as_deref(), Some("126.0.0.0/7"));
    }

    #[test]
    fn prefixes_can_become_shorter() {
        assert_eq!(text("cidrsubnet", "10.0.0.0/30", &[-4, 7]).as_deref(), Some("10.0.1.192/26"));
        assert_eq!(text("cidrsubnet", "10.0.0.0/8", &[-9, 0]), None);
        assert_eq!(text("cidrsubnet", "10.0.0.0/8", &[8, 256]), None);
        assert_eq!(text("cidrsubnet", "10.0.0.0/8", &[8, 255]).as_deref(), Some("10.255.0.0/16"));
    }
}
