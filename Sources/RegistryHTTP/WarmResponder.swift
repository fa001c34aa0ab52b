import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers those who warm the cache from another process, by the control socket only.
enum WarmResponder {
    static func answer(_ exchange: Exchange) {
        exchange.record.kind = .admin
        guard exchange.isControl, let mirror = exchange.server.warming else {
            ErrorResponder.respond(RouteError.notFound, to: exchange)
            return
        }
        guard exchange.request.method == .POST else {
            CacheResponder.refuse(exchange, .methodNotAllowed, "this is for POST", "method")
            return
        }
        do throws(RouteError) {
            answer(exchange, try RequestTarget(exchange.request.uri), mirror)
        } catch {
            ErrorResponder.respond(error, to: exchange)
        }
    }

    private static func answer(_ exchange: Exchange, _ target: RequestTarget, _ mirror: any WarmMirror) {
        do throws(CacheCall.Failure) {
            let call = try WarmCall(target)
            LineStream(exchange)
                .run { emit in
                    do throws(MirrorError) {
                        _ = await emit(try await line(for: call, mirror, emit).json)
                    } catch {
                        _ = await emit(WarmLine.error(error).json)
                    }
                    return nil
                }
        } catch .parameter(let name) {
            CacheResponder.refuse(
                exchange,
                .badRequest,
                "the parameter \"\(name)\" is missing or wrong",
                "parameter"
            )
        } catch {
            ErrorResponder.respond(RouteError.notFound, to: exchange)
        }
    }

    /// Has a call done; returns the last line of its answer.
    private static func line(
        for call: WarmCall,
        _ mirror: any WarmMirror,
        _ emit: @escaping LineStream.Emit
    ) async throws(MirrorError) -> WarmLine {
        switch call {
        case .repository(let path, let registry): .repository(try await mirror.repository(path, of: registry))
        case .tags(let repository): .tags(try await mirror.tags(in: repository))
        case .look(let tag, let repository, let isImmutable):
            .tag(try await mirror.look(up: tag, in: repository, isImmutable: isImmutable))
        case .heldManifest(let digest, let repository):
            .heldManifest(try await mirror.heldManifest(digest, in: repository))
        case .manifest(let digest, let repository, let reserve):
            .manifest(try await mirror.manifest(digest, in: repository, keeping: reserve))
        case .holdings(let digests, let repository):
            .holdings(try await mirror.holdings(of: digests, in: repository))
        case .blob(let digest, let repository): try await warm(digest, in: repository, mirror, emit)
        case .referrers(let digest, let repository):
            .referrers(try await mirror.referrers(of: digest, in: repository))
        case .quota(let upstream): .quota(await mirror.quota(of: upstream))
        }
    }

    /// Fetches a blob, and tells now and then how far it is.
    private static func warm(
        _ digest: Digest,
        in repository: Repository,
        _ mirror: any WarmMirror,
        _ emit: @escaping LineStream.Emit
    ) async throws(MirrorError) -> WarmLine {
        let (counts, count) = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let teller = Task {
            for await received in counts {
                guard await emit(WarmLine.received(received).json) else { return }
                try? await Task.sleep(for: progressInterval)
            }
        }
        let result: Result<Void, MirrorError>
        do throws(MirrorError) {
            result = .success(try await mirror.warm(digest, in: repository) { count.yield($0) })
        } catch {
            result = .failure(error)
        }
        count.finish()
        teller.cancel()
        await teller.value
        try result.get()
        return .stored
    }

    private static let progressInterval = Duration.milliseconds(100)
}
