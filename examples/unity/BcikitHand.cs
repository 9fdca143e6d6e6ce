// Closes a hand while a command is in force. Attach to a hand whose Animator has a float "Closure".
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bcikit;
using UnityEngine;

public sealed class BcikitHand : MonoBehaviour
{
    [SerializeField] private int port = 9750;
    [SerializeField] private Animator hand;
    [SerializeField] private float timeConstant = 0.06f;

    private readonly Receiver _receiver = new Receiver();
    private UdpClient _line;
    private float _closure;

    private void OnEnable()
    {
        _line = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        _receiver.Reset();
    }

    private void OnDisable()
    {
        _line.Close();
        hand.SetFloat("Closure", 0f);
    }

    private void Update()
    {
        double now = Time.realtimeSinceStartupAsDouble;
        while (_line.Available > 0)
        {
            IPEndPoint from = null;
            _receiver.Feed(Encoding.UTF8.GetString(_line.Receive(ref from)), now);
        }
        Order order = _receiver.Tick(now);
        bool closes = order != null && (order.Name == "close" || order.Name == "stimulate");
        float target = closes ? Mathf.Clamp01((float)(order.Number ?? 1.0)) : 0f;
        _closure += (target - _closure) * (1f - Mathf.Exp(-Time.deltaTime / timeConstant));
        hand.SetFloat("Closure", _closure);
    }
}
