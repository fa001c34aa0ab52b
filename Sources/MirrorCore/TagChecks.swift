import Logging
import OCI

/// What a check of a tag found.
struct CheckedTag: Hashable, Sendable {
    var record: TagRecord
    /// Whether the cache knew it so before.
    var isUnchanged: Bool
}

/// Checks of tags, each once for all askers.
extension PullThrough {
    typealias TagCheck = WorkTable<TagKey, Result<CheckedTag, UpstreamError>>.Work

    /// Joins the check of a tag, or starts it; `nil` when shutting down.
    func check(_ tag: Tag, _ inquiry: Inquiry, _ known: TagRecord?, isAfresh: Bool) -> TagCheck? {
        let (repository, policy) = (inquiry.repository, inquiry.policy)
        let key = TagKey(repository: repository, tag: tag)
        return tagChecks.work(on: key, for: inquiry.caller) { [self] errand, deliver in
            // A check that ended since this asker looked has recorded its answer: entries leave the table after that.
            if !isAfresh, let now = index.tag(tag, in: repository),
                revalidation(of: now, tag, in: repository, policy) == .unneeded
            {
                return deliver(.success(CheckedTag(record: now, isUnchanged: true)))
            }
            await perform(tag, inquiry, known: known, errand, deliver: deliver)
        }
    }

    private func perform(
        _ tag: Tag,
        _ inquiry: Inquiry,
        known: TagRecord?,
        _ errand: Errand,
        deliver: @Sendable (Result<CheckedTag, UpstreamError>) -> Void
    ) async {
        let repository = inquiry.repository
        do throws(UpstreamError) {
            var (record, changes) = try await ask(tag, inquiry, errand)
            record.held = held(known, besides: record.digest)
            // What came along with the tag is stored before anybody looks for it.
            if changes.count > 1 { await self.record(changes) }
            // Who asked by HEAD asks for the manifest next, which may be before the proof has been written down.
            let descriptor = Descriptor(mediaType: record.mediaType, digest: record.digest, size: record.size)
            recentClaims.insert([descriptor], in: repository)
            let isUnchanged = known.map { $0.digest == record.digest && !$0.isGone } ?? false
            deliver(.success(CheckedTag(record: record, isUnchanged: isUnchanged)))
            negatives.remove(.init(repository: repository, subject: .tag(tag)))
            await self.record(changes + [.tag(tag, in: repository, record)])
        } catch {
            if error == .notFound || error == .denied {
                remember(MirrorError(error, missing: .manifestUnknown), of: .tag(tag), in: repository)
            }
            deliver(.failure(error))
            if error == .notFound, var gone = known {
                gone.isGone = true
                await self.record([.tag(tag, in: repository, gone)])
            }
            // A circuit that is open has been told of, and nothing was asked.
            if let reason = StaleReason(error), reason != .circuitOpen {
                context.logger.warning(
                    "a tag could not be checked",
                    metadata: ["repository": "\(repository)", "tag": "\(tag)", "error": "\(error.label)"]
                )
            }
        }
    }

    /// The manifest to go back to, should the tag's new one not be had.
    private func held(_ known: TagRecord?, besides digest: Digest) -> TagRecord.Held? {
        guard let known else { return nil }
        guard known.digest != digest, storedSize(of: known.digest) != nil else {
            return known.held?.digest == digest ? nil : known.held
        }
        return TagRecord.Held(digest: known.digest, checkedAt: known.checkedAt)
    }

    /// Asks by HEAD, or where HEADs tell nothing by one GET that fetches the manifest as well.
    private func ask(
        _ tag: Tag,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(UpstreamError) -> (TagRecord, [IndexChange]) {
        let repository = inquiry.repository
        let name = repository.upstream
        if !refusesHeads(name) {
            do throws(UpstreamError) {
                let told = try await ask(inquiry, .free) { upstream async throws(UpstreamError) in
                    try await upstream.headManifest(.tag(tag), in: repository.name, for: errand)
                }
                if let digest = told.digest, let size = told.size {
                    return describe(digest, size: size, told.mediaType, in: repository)
                }
            } catch {
                guard error == .headUnsupported else { throw error }
            }
            // On Docker Hub a GET costs quota, and a HEAD always tells: something is wrong with that answer.
            guard name != .dockerHub else { throw .unusable("a HEAD without a digest or a length") }
            noteHeadsAreRefused(by: name)
        }
        let fetched = try await ask(inquiry, .read) { upstream async throws(UpstreamError) in
            try await upstream.manifest(.tag(tag), in: repository.name, for: errand)
        }
        let digest = context.store.digest(of: fetched.bytes, .sha256)
        let (record, changes) = describe(
            digest,
            size: fetched.bytes.count,
            ManifestType.name(of: fetched.bytes, told: fetched.mediaType),
            in: repository
        )
        let stored = await store(fetched.bytes, as: digest)
        return (record, changes + stored)
    }

    /// The record of a tag that upstream has just told, and the proof that comes with it.
    private func describe(
        _ digest: Digest,
        size: Int,
        _ mediaType: String?,
        in repository: Repository
    ) -> (TagRecord, [IndexChange]) {
        let mediaType = storedMediaType(of: digest, told: mediaType)
        let now = time.wall()
        return (
            TagRecord(digest: digest, mediaType: mediaType, size: size, checkedAt: now),
            [.membership(digest, .manifest, in: repository, Membership(mediaType: mediaType, provedAt: now))]
        )
    }
}
