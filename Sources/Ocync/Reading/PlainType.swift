import YAMLReading

/// What a plain scalar is where any type may stand, by the rules of ocync's YAML library.
///
/// Nearly the core schema of YAML 1.2: `yes`, `on`, `012`, `1_000`, `12:30` and dates are texts.
enum PlainType {
    case null
    case flag(Bool)
    /// An integer or a floating-point number.
    case number
    case text

    init(_ text: String) {
        if text.isEmpty || ["~", "null", "Null", "NULL"].contains(text) {
            self = .null
        } else if ["true", "True", "TRUE"].contains(text) {
            self = .flag(true)
        } else if ["false", "False", "FALSE"].contains(text) {
            self = .flag(false)
        } else {
            self = text.isYAMLNumber ? .number : .text
        }
    }
}

extension YAMLScalar {
    /// Whether this is a text where a number or a flag could stand too.
    var isText: Bool {
        if let tag {
            // A tag of our own would be the variant of an enumeration; one of YAML's that is no number's says nothing.
            let others = ["bool", "int", "float", "null"].map { "tag:yaml.org,2002:\($0)" }
            return tag.hasPrefix("tag:") && !others.contains(tag)
        }
        guard isPlain else { return true }
        if case .text = PlainType(text) { return true }
        return false
    }

    /// Whether this means the absence of an optional value.
    var isNull: Bool {
        guard isPlain, tag == nil || tag == "tag:yaml.org,2002:null", case .null = PlainType(text) else { return false }
        return true
    }

    /// The name of an enumeration's variant: the text, or a tag (`!basic`) before nothing.
    var variant: String? {
        guard let tag, tag.hasPrefix("!"), tag.count > 1 else { return text }
        guard case .null = PlainType(text), isPlain else { return nil }
        return String(tag.dropFirst())
    }

    /// Whether nothing at all is written here, which is an empty list or mapping too.
    var isVoid: Bool { isPlain && text.isEmpty }

    var flag: Bool? {
        guard isPlain, case .flag(let value) = PlainType(text) else { return nil }
        return value
    }

    /// An unsigned integer; one that is larger than any `Int` is the largest.
    var count: Int? {
        guard isPlain else { return nil }
        let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
        let value =
            if let (radix, rest) = digits.radixAndDigits {
                UInt64(rest, radix: radix)
            } else if digits.isDecimal, !digits.isZeroPadded {
                UInt64(digits)
            } else {
                UInt64?.none
            }
        return value.map(Int.init(clamping:))
    }
}

extension String {
    /// Whether YAML takes this, written plainly, for a number.
    fileprivate var isYAMLNumber: Bool {
        if [".nan", ".NaN", ".NAN"].contains(self) { return true }
        let unsigned = first == "+" || first == "-" ? dropFirst() : self[...]
        if [".inf", ".Inf", ".INF"].contains(unsigned) { return true }
        if let (radix, digits) = unsigned.radixAndDigits { return UInt128(digits, radix: radix) != nil }
        guard !unsigned.isZeroPadded, unsigned.isDecimalFraction else { return false }
        // Too large for a number is a text again, such as the Git hash 12e4567.
        return Double(unsigned)?.isFinite == true
    }
}

extension Substring {
    /// The base and what follows its mark: `0x1F`, `0o17`, `0b1`.
    fileprivate var radixAndDigits: (radix: Int, digits: Substring)? {
        let radices = ["0x": 16, "0o": 8, "0b": 2]
        guard let radix = radices[String(prefix(2))], dropFirst(2).first?.isHexDigit == true else { return nil }
        return (radix, dropFirst(2))
    }

    fileprivate var isDecimal: Bool { !isEmpty && utf8.allSatisfy(\.isDigit) }

    /// Digits with zeros before them, which are a text.
    fileprivate var isZeroPadded: Bool { utf8.count > 1 && first == "0" && isDecimal }

    /// Digits with at most one point, and an exponent or none.
    fileprivate var isDecimalFraction: Bool {
        let parts = split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
        if parts.count > 1 {
            let exponent = parts[1]
            let digits = exponent.first == "+" || exponent.first == "-" ? exponent.dropFirst() : exponent
            guard digits.isDecimal else { return false }
        }
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        return mantissa.contains { !$0.isEmpty } && mantissa.allSatisfy { $0.isEmpty || $0.isDecimal }
    }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
