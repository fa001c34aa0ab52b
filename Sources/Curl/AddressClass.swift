import Glibc

/// What kind of place an IP address leads to.
///
/// Addresses that carry an IPv4 address inside (`::ffff:a.b.c.d`, `::a.b.c.d`, NAT64's `64:ff9b::/96`, 6to4's
/// `2002::/16`) are judged by that one.
package enum AddressClass: Hashable, Sendable, CaseIterable {
    /// `0.0.0.0/8` and `::` (Linux connects them to itself), multicast, reserved and broadcast addresses.
    case unspecified
    case loopback
    /// `169.254.0.0/16` and `fe80::/10`.
    case linkLocal
    /// Where clouds tell a machine its secrets, outside the link-local ranges.
    case metadata
    /// RFC 1918, RFC 6598 (carrier-grade NAT) and unique local IPv6 addresses.
    case privateUse
    case publicUse

    /// Classifies 4 or 16 bytes in network order; fails for any other number.
    package init?(_ bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = Self.ofIPv4(bytes)
        case 16: self = Self.embeddedIPv4(in: bytes).map(Self.ofIPv4) ?? Self.ofIPv6(bytes)
        default: return nil
        }
    }

    /// Classifies an address written as a number, without brackets; fails for a host name.
    package init?(literal text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(Array(bytes.prefix(4)))
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes)
        } else {
            return nil
        }
    }

    private static func ofIPv4(_ bytes: [UInt8]) -> Self {
        switch (bytes[0], bytes[1]) {
        case (0, _), (224..., _): .unspecified
        case (127, _): .loopback
        case (169, 254): .linkLocal
        case (100, 100) where bytes[2] == 100 && bytes[3] == 200: .metadata
        case (10, _), (172, 16...31), (192, 168), (100, 64...127): .privateUse
        default: .publicUse
        }
    }

    private static func ofIPv6(_ bytes: [UInt8]) -> Self {
        // AWS answers on this one besides 169.254.169.254.
        let amazonMetadata: [UInt8] = [0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
        if bytes == amazonMetadata { return .metadata }
        if bytes.dropLast().allSatisfy({ $0 == 0 }) { return bytes[15] == 1 ? .loopback : .unspecified }
        return switch (bytes[0], bytes[1] & 0xc0) {
        case (0xfe, 0x80): .linkLocal
        // Site-local: deprecated, and still somebody's inside.
        case (0xfe, 0xc0), (0xfc...0xfd, _): .privateUse
        case (0xff, _): .unspecified
        default: .publicUse
        }
    }

    private static func embeddedIPv4(in bytes: [UInt8]) -> [UInt8]? {
        let zeros = [UInt8](repeating: 0, count: 10)
        let prefix = Array(bytes.prefix(12))
        if prefix == zeros + [0xff, 0xff] { return Array(bytes.suffix(4)) }
        if prefix == [0, 0x64, 0xff, 0x9b] + zeros.prefix(8) { return Array(bytes.suffix(4)) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return Array(bytes[2..<6]) }
        // `::` and `::1` look like this form too, and are not of it.
        if prefix == zeros + [0, 0], bytes[12] != 0 { return Array(bytes.suffix(4)) }
        return nil
    }
}
