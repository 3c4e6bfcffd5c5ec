//! Numbers as people read them.

/// 1,234,567
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn figures_are_grouped() {
        let told = [0, 7, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(told, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
    }
}
