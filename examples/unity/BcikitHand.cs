// Closes a hand while a command is in force. Attach to a hand whose Animator has a float "Closure".
using System.Net;
using System.Net.Sockets;
using Bcikit;
using UnityEngine;

public sealed class BcikitHand : MonoBehaviour
{
    private static readonly int Closure = Animator.StringToHash("Closure");

    [SerializeField, Tooltip("Port of this machine that bcikit's output sends to: udp:127.0.0.1:9750")]
    private int port = 9750;

    [SerializeField, Tooltip("Only for commands of this class, such as left_hand; empty takes all")]
    private string onlyFor = "";

    [SerializeField] private Animator hand = null;

    [SerializeField, Tooltip("Seconds in which most of a movement is done")]
    private float timeConstant = 0.06f;

    private readonly Receiver _receiver = new Receiver();
    private UdpClient _line;
    private float _closure;

    /// <summary>How far the hand is closed, 0 to 1.</summary>
    public float HowFar
    {
        get { return _closure; }
    }

    private void OnEnable()
    {
        _receiver.Reset();
        try
        {
            _line = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        }
        catch (SocketException error)
        {
            Debug.LogError("bcikit: port " + port + " cannot be opened: " + error.Message, this);
        }
    }

    private void OnDisable()
    {
        if (_line != null) _line.Close();
        _line = null;
        Show(0f);
    }

    private void Update()
    {
        double now = Time.realtimeSinceStartupAsDouble;
        while (_line != null && _line.Available > 0)
        {
            IPEndPoint from = null;
            _receiver.Feed(_line.Receive(ref from), now);
        }
        Order order = _receiver.Tick(now);
        bool closes = order != null && (order.Name == "close" || order.Name == "stimulate") && IsForMe(order);
        float target = closes ? Mathf.Clamp01((float)(order.Number ?? 1.0)) : 0f;
        Show(_closure + (target - _closure) * (1f - Mathf.Exp(-Time.deltaTime / timeConstant)));
    }

    private bool IsForMe(Order order)
    {
        return onlyFor.Length == 0 || onlyFor == (string)order.Data["class"];
    }

    private void Show(float closure)
    {
        _closure = closure;
        hand.SetFloat(Closure, closure);
    }
}
