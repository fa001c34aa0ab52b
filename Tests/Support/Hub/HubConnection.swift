import Glibc
import NIOCore
import NIOHTTP1

/// Answers the requests of one connection, one after the other, with the faults that were planned.
final class HubConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// An answer on its way.
    private struct Sending {
        let plan: ReplyPlan
        let number: Int
        let keepsAlive: Bool
        var offset: Int
        var isStallOver = false

        var sent: Int { offset - plan.bodyRange.lowerBound }
    }

    private let role: HubRole
    private let hub: ScriptedHub
    private var head: HTTPRequestHead?
    private var body = ""
    private var sending: Sending?

    init(role: HubRole, hub: ScriptedHub) {
        self.role = role
        self.hub = hub
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ""
        case .body(let bytes): body += String(buffer: bytes)
        case .end:
            guard let head else { return }
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let request = HubRequest(role: role, head: head, body: body)
        let (plan, number) = hub.plan(for: request)
        guard !plan.isReset else { return reset(context) }
        sending = Sending(
            plan: plan,
            number: number,
            keepsAlive: head.isKeepAlive,
            offset: plan.bodyRange.lowerBound
        )
        guard let barrier = plan.headBarrier else { return sendHead(context) }
        wait(for: barrier, context) { $0.sendHead($1) }
    }

    private func sendHead(_ context: ChannelHandlerContext) {
        guard let sending else { return }
        let head = sending.plan.head
        hub.update(sending.number) { $0.status = Int(head.status.code) }
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        sendNext(context)
    }

    /// Sends the next piece of the body, and the one after it when this one is out.
    private func sendNext(_ context: ChannelHandlerContext) {
        guard let sending else { return }
        let left = sending.plan.bodyRange.upperBound - sending.offset
        guard left > 0 else { return finish(sending, context) }
        var limit = min(left, 256 << 10)
        if let rate = sending.plan.bytesPerSecond { limit = min(limit, max(1, rate / 20)) }
        if let stall = sending.plan.stall, !sending.isStallOver {
            guard sending.sent < stall.after else { return hold(stall.until, context) }
            limit = min(limit, stall.after - sending.sent)
        }
        let piece = sending.plan.piece(at: sending.offset, limit: limit)
        let length = piece.readableBytes
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
        context.value.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))))
            .whenSuccess {
                handler.value.sent(length, context.value)
            }
    }

    private func sent(_ length: Int, _ context: ChannelHandlerContext) {
        guard let number = sending?.number else { return }
        sending?.offset += length
        hub.update(number) { $0.bodyBytes += length }
        let pause = sending?.plan.bytesPerSecond.map { Int64(length) * 1_000_000_000 / Int64($0) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        // Scheduled even without a pause: a write that succeeds at once calls back at once, and a large body would
        // otherwise be a deep recursion.
        context.eventLoop.scheduleTask(in: .nanoseconds(pause ?? 0)) {
            bound.value.0.sendNext(bound.value.1)
        }
    }

    private func hold(_ barrier: Barrier, _ context: ChannelHandlerContext) {
        wait(for: barrier, context) { handler, context in
            handler.sending?.isStallOver = true
            handler.sendNext(context)
        }
    }

    private func finish(_ sending: Sending, _ context: ChannelHandlerContext) {
        self.sending = nil
        guard sending.plan.cutAfter == nil else {
            context.close(promise: nil)
            return
        }
        hub.update(sending.number) { $0.isComplete = true }
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.writeAndFlush(wrapOutboundOut(.end(nil)))
            .whenComplete { _ in
                if !sending.keepsAlive { context.value.close(promise: nil) }
            }
    }

    private func wait(
        for barrier: Barrier,
        _ context: ChannelHandlerContext,
        then resume: @escaping @Sendable (HubConnection, ChannelHandlerContext) -> Void
    ) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: eventLoop)
        barrier.pass {
            eventLoop.execute {
                guard bound.value.1.channel.isActive else { return }
                resume(bound.value.0, bound.value.1)
            }
        }
    }

    /// Closes with RST: what is unsent is thrown away.
    private func reset(_ context: ChannelHandlerContext) {
        let channel = context.channel
        guard let options = channel as? any SocketOptionProvider else { return context.close(promise: nil) }
        options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
    }
}
