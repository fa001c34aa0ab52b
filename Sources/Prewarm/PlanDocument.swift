import FoundationEssentials
package import MirrorCore
package import Ocync

/// A plan as `tidepool prewarm --dry-run --json` prints it (DESIGN section 5).
///
/// Offline, without a mirror to ask, there are no images, no price and no quota.
package struct PlanDocument: Encodable, Hashable, Sendable {
    package var mappings: [Mapping]
    package var manifestReads: Int?
    package var bytes: Int?
    package var quota: Quota?
    package var warnings: [String]

    package struct Mapping: Encodable, Hashable, Sendable {
        package var from: String
        package var to: String?
        package var upstream: String?
        package var literal: Bool?
        package var tags: [String]?
        package var dropped: [Dropped]?
        package var images: [Image]?
        package var error: String?
    }

    package struct Dropped: Encodable, Hashable, Sendable {
        package var tag: String
        package var rule: String
    }

    package struct Image: Encodable, Hashable, Sendable {
        package var tag: String
        package var digest: String?
        package var cached: Bool?
        package var manifestReads: Int?
        package var bytes: Int?
        package var error: String?
    }

    /// Unknown numbers are `null`.
    package struct Quota: Encodable, Hashable, Sendable {
        package var limit: Int?
        package var remaining: Int?
        package var reserve: Int

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(limit, forKey: .limit)
            try container.encode(remaining, forKey: .remaining)
            try container.encode(reserve, forKey: .reserve)
        }

        private enum CodingKeys: CodingKey {
            case limit, remaining, reserve
        }
    }

    /// `isOffline` leaves out what only a mirror can tell.
    package init(_ plan: PrewarmPlan, isOffline: Bool = false) {
        mappings = plan.mappings.map { Mapping($0, isOffline: isOffline) }
        warnings = plan.warnings
        guard !isOffline else { return }
        manifestReads = plan.price.manifestReads
        bytes = plan.price.bytes
        quota = plan.quota.map { Quota(limit: $0.limit, remaining: $0.remaining, reserve: $0.reserve) }
    }

    package var json: [UInt8] { JSONText.of(self) }
}

extension PlanDocument.Mapping {
    fileprivate init(_ planned: PlannedMapping, isOffline: Bool) {
        self.init(from: planned.mapping.from)
        if let failure = planned.failure {
            error = "\(failure)"
            return
        }
        to = planned.mapping.to
        upstream = planned.repository?.upstream.text ?? planned.mapping.source?.canonicalHost
        literal = planned.selection.isLiteral
        tags = planned.selection.kept
        dropped = planned.selection.dropped.map { PlanDocument.Dropped(tag: $0.tag, rule: "\($0.rule)") }
        if !isOffline { images = planned.tags.map(PlanDocument.Image.init) }
    }
}

extension PlanDocument.Image {
    fileprivate init(_ planned: PlannedTag) {
        self.init(tag: planned.tag, digest: planned.digest.map { "\($0)" })
        if let problem = planned.problem {
            error = problem
        } else {
            cached = planned.isCached
            manifestReads = planned.price.manifestReads
            bytes = planned.price.bytes
        }
    }
}

/// JSON as our commands print it.
enum JSONText {
    /// Keys in snake case and in a fixed order, indented, with a newline at the end.
    static func of(_ document: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Texts, whole numbers and truth values always encode.
        return ((try? encoder.encode(document)).map(Array.init) ?? []) + [UInt8(ascii: "\n")]
    }
}

extension OcyncRegistry {
    /// The host by which the mirror knows it: Docker Hub has three names for one content.
    package var canonicalHost: String { isDockerHub ? UpstreamName.dockerHub.text : host }
}

extension PrewarmPlan {
    /// The quota that the run draws on: Docker Hub's, or the first that has a limit.
    package var quota: WarmQuota? { Self.principal(quotas) }

    static func principal(_ quotas: [UpstreamName: WarmQuota]) -> WarmQuota? {
        if let hub = quotas[.dockerHub] { return hub }
        let byName = quotas.sorted { $0.key.text < $1.key.text }.map(\.value)
        return byName.first { $0.limit != nil } ?? byName.first
    }
}
