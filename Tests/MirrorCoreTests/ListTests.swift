import MirrorCore
import OCI
import Testing

@Suite("Tag lists and referrers", .timeLimit(.minutes(1)))
struct ListTests {
    let subject = sha256([1])

    func referrers(_ bench: Bench, _ type: String? = nil) async throws -> ReferrersDocument {
        try await bench.mirror.referrers(
            of: subject,
            artifactType: type,
            in: bench.repository("nginx"),
            for: bench.caller
        )
    }

    func index(_ types: String...) -> [UInt8] {
        let entries = types.enumerated()
            .map { number, type in
                let digest = sha256([UInt8(number), 7])
                return
                    #"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\#(digest)","size":2,"artifactType":"\#(type)"}"#
            }
        return Array(
            #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[\#(entries.joined(separator: ","))]}"#
                .utf8
        )
    }

    @Test("tags come in ASCII order, kept for tag_ttl, and stale in an outage")
    func tags() async throws {
        let bench = Bench()
        let repository = try bench.repository("nginx")
        bench.hub.change { $0.tags = ["b": subject, "a": subject, "B": subject, "bad tag": subject] }
        let first = try await bench.mirror.tags(in: repository, for: bench.caller)
        #expect(first.tags == ["B", "a", "b"])
        await bench.settled()
        #expect(try await bench.mirror.tags(in: repository, for: bench.caller).outcome == .hit)
        #expect(bench.hub.count(.tags) == 1)
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.tags: .unavailable(.refused)] }
        let stale = try await bench.mirror.tags(in: repository, for: bench.caller)
        #expect(stale.tags == first.tags)
        guard case .stale = stale.outcome else {
            Issue.record("not stale")
            return
        }
    }

    @Test("the tags of an unknown repository are a 404")
    func unknownRepository() async throws {
        let bench = Bench()
        bench.hub.change { $0.outage = [.tags: .notFound] }
        let repository = try bench.repository("nginx")
        await #expect(throws: MirrorError.repositoryUnknown) {
            try await bench.mirror.tags(in: repository, for: bench.caller)
        }
    }

    @Test("referrers pass through as upstream sent them, and are filtered by us")
    func referrers() async throws {
        let bench = Bench()
        let document = index("sbom", "signature")
        bench.hub.change { $0.referrers = .pages([document]) }
        #expect(try await referrers(bench).bytes == document)
        let filtered = try await referrers(bench, "sbom")
        #expect(filtered.isFiltered)
        #expect(String(decoding: filtered.bytes, as: UTF8.self).contains("sbom"))
        #expect(!String(decoding: filtered.bytes, as: UTF8.self).contains("signature"))
        #expect(bench.hub.count(.referrers) == 1)
    }

    @Test("pages are joined")
    func pages() async throws {
        let bench = Bench()
        bench.hub.change { $0.referrers = .pages([index("sbom"), index("signature")]) }
        let text = String(decoding: try await referrers(bench).bytes, as: UTF8.self)
        #expect(text.contains("sbom") && text.contains("signature"))
    }

    @Test("without the API the tag is asked by HEAD, and an absence costs no quota")
    func noneByTag() async throws {
        let bench = Bench()
        #expect(try await referrers(bench).bytes == ReferrersIndex.empty.bytes)
        #expect(bench.hub.requests.map(\.kind) == [.referrers, .headManifest])
        _ = try await referrers(bench)
        #expect(bench.hub.requests.count == 2)
    }

    @Test("without the API the index under the tag is the answer")
    func byTag() async throws {
        let bench = Bench()
        let document = String(decoding: index("sbom"), as: UTF8.self)
        bench.hub.add(tag: "sha256-\(subject.hex)", manifest: document, mediaType: MediaType.ociIndex)
        #expect(try await referrers(bench).bytes == Array(document.utf8))
    }

    @Test("a manifest under the tag that is no index is no answer")
    func tagIsNoIndex() async throws {
        let bench = Bench()
        bench.hub.add(tag: "sha256-\(subject.hex)", manifest: "{}", mediaType: MediaType.ociManifest)
        #expect(try await referrers(bench).bytes == ReferrersIndex.empty.bytes)
    }

    @Test("what one repository answers does not silence the others")
    func otherRepositories() async throws {
        let bench = Bench()
        let missing = try bench.repository("org/none")
        _ = try await bench.mirror.referrers(of: subject, artifactType: nil, in: missing, for: bench.caller)
        let document = index("sbom")
        bench.hub.change { $0.referrers = .pages([document]) }
        #expect(try await referrers(bench).bytes == document)
    }

    @Test("a failure is an error, and not an empty list")
    func failure() async throws {
        let bench = Bench()
        bench.hub.change { $0.outage = [.referrers: .unavailable(.status(503))] }
        await #expect(throws: MirrorError.unavailable(reason: "status", retryAfter: nil)) {
            try await referrers(bench)
        }
    }

    @Test("a failure serves what was known")
    func staleReferrers() async throws {
        let bench = Bench()
        bench.hub.change { $0.referrers = .pages([index("sbom")]) }
        let first = try await referrers(bench).bytes
        await bench.settled()
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.referrers: .unavailable(.dns)] }
        #expect(try await referrers(bench).bytes == first)
    }

    @Test(
        "a repository that is denied is asked for once in negative_ttl",
        arguments: [FakeUpstream.Kind.tags, .referrers]
    )
    func denied(kind: FakeUpstream.Kind) async throws {
        let bench = Bench()
        let repository = try bench.repository("nginx")
        bench.hub.change { $0.outage = [kind: .denied] }
        for _ in 0..<3 {
            await #expect(throws: MirrorError.denied) {
                if kind == .referrers { _ = try await referrers(bench) }
                _ = try await bench.mirror.tags(in: repository, for: bench.caller)
            }
            await bench.settled()
        }
        #expect(bench.hub.requests.map(\.kind) == [kind])
    }

    @Test("referrers that were found by a tag which cannot be checked are served, and not kept as if it had been")
    func unconfirmed() async throws {
        let bench = Bench()
        let document = String(decoding: index("sbom"), as: UTF8.self)
        bench.hub.add(tag: "sha256-\(subject.hex)", manifest: document, mediaType: MediaType.ociIndex)
        #expect(try await referrers(bench).outcome == .miss)
        await bench.settled()
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.dns)] }
        for _ in 0..<3 {
            let stale = try await referrers(bench)
            #expect(stale.bytes == Array(document.utf8))
            #expect(stale.outcome.staleReason == "dns")
            await bench.settled()
        }
    }
}
